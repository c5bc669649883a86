"""Every error that bratsseg raises on purpose.

The tree::

    BratssegError                  .code  .exit_code
    ├── UsageError                 wrong_use            the command or call itself is wrong
    │   ├── ConfigError            config_invalid       a config file or an override is refused
    │   ├── ModelError             model_invalid        a released model cannot be found or trusted
    │   └── DialectError           dialect_unknown      label values whose convention nobody has named
    ├── TrainingError              training_failed      a training run cannot go on; its last checkpoint is kept
    └── CaseError                  case_invalid         one case cannot be used; a batch goes on without it
        ├── ReadError              unreadable           a file is missing, truncated, or not what its name says
        ├── ContentError           content_invalid      the voxels cannot be a scan (NaN, constant, empty, 4-D)
        ├── ModalityMissing        modality_missing     the model needs a modality that the case lacks
        ├── ModalityAmbiguous      modality_ambiguous   two files claim one modality, or a file claims two
        ├── GeometryError          geometry_invalid     the header does not say where the voxels are
        ├── GridMismatch           grids_differ         volumes that must share a grid do not
        ├── NotBrainExtracted      skull_on             the scan still shows skull or air noise
        ├── LabelError             labels_invalid       label values outside the dialect
        └── WriteError             not_written          a result could not be written; nothing half-written is left

A message says what must be, what was, whose it is, and what to do next. ``code`` is stable: scripts may match on it.
"""

from __future__ import annotations


class BratssegError(Exception):
    """Root of the tree. ``code`` is a stable identifier, ``exit_code`` what the command line returns for it."""

    code = "error"
    exit_code = 1


class UsageError(BratssegError):
    """The command or the call is wrong, whatever the data."""

    code = "wrong_use"
    exit_code = 2


class ConfigError(UsageError):
    """A config file or an override is refused."""

    code = "config_invalid"


class ModelError(UsageError):
    """A released model cannot be found, read or trusted."""

    code = "model_invalid"


class DialectError(UsageError):
    """The convention of label values is unknown or contradicted."""

    code = "dialect_unknown"


class TrainingError(BratssegError):
    """A training run cannot go on; its last checkpoint is kept."""

    code = "training_failed"


class CaseError(BratssegError):
    """One case cannot be used; the others can."""

    code = "case_invalid"


class ReadError(CaseError):
    """A file is missing, truncated, or not what its name says."""

    code = "unreadable"


class ContentError(CaseError):
    """The voxels cannot be a scan of one modality."""

    code = "content_invalid"


class ModalityMissing(CaseError):
    """The model needs a modality that the case lacks."""

    code = "modality_missing"


class ModalityAmbiguous(CaseError):
    """Two files claim one modality, or one file claims two."""

    code = "modality_ambiguous"


class GeometryError(CaseError):
    """The header does not say where the voxels are."""

    code = "geometry_invalid"


class GridMismatch(CaseError):
    """Volumes that must share a grid do not."""

    code = "grids_differ"


class NotBrainExtracted(CaseError):
    """The scan still shows skull or air noise."""

    code = "skull_on"


class LabelError(CaseError):
    """Label values outside the dialect."""

    code = "labels_invalid"


class WriteError(CaseError):
    """A result could not be written; nothing half-written is left."""

    code = "not_written"
