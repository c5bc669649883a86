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
        ├── UnlikeBrain            not_a_brain_scan     the model expects a brain, and this is unlike one
        ├── LabelError             labels_invalid       label values outside the dialect
        └── WriteError             not_written          a result could not be written; nothing half-written is left

A message says what must be, what was, whose it is, and what to do next. ``code`` is stable: scripts may match on it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """Every code that a record, a table or a JSON answer may hold: those of the tree, and four that nobody raises."""

    ERROR = "error"
    WRONG_USE = "wrong_use"
    CONFIG_INVALID = "config_invalid"
    MODEL_INVALID = "model_invalid"
    DIALECT_UNKNOWN = "dialect_unknown"
    TRAINING_FAILED = "training_failed"
    CASE_INVALID = "case_invalid"
    UNREADABLE = "unreadable"
    CONTENT_INVALID = "content_invalid"
    MODALITY_MISSING = "modality_missing"
    MODALITY_AMBIGUOUS = "modality_ambiguous"
    GEOMETRY_INVALID = "geometry_invalid"
    GRIDS_DIFFER = "grids_differ"
    SKULL_ON = "skull_on"
    NOT_A_BRAIN_SCAN = "not_a_brain_scan"
    LABELS_INVALID = "labels_invalid"
    NOT_WRITTEN = "not_written"
    FAILED = "failed"
    """A case met a fault of the software or the machine, which no class of the tree foresaw."""
    NO_PREDICTION = "no_prediction"
    """A reference has no prediction to be compared with."""
    NO_REFERENCE = "no_reference"
    """A prediction has no reference to be compared with."""
    LABELS_AMBIGUOUS = "labels_ambiguous"
    """Several label maps claim one case."""


class BratssegError(Exception):
    """Root of the tree. ``code`` is a stable identifier, ``exit_code`` what the command line returns for it."""

    code: ClassVar[Code] = Code.ERROR
    exit_code: ClassVar[int] = 1


class UsageError(BratssegError):
    """The command or the call is wrong, whatever the data."""

    code = Code.WRONG_USE
    exit_code = 2


class ConfigError(UsageError):
    """A config file or an override is refused."""

    code = Code.CONFIG_INVALID


class ModelError(UsageError):
    """A released model cannot be found, read or trusted."""

    code = Code.MODEL_INVALID


class DialectError(UsageError):
    """The convention of label values is unknown or contradicted."""

    code = Code.DIALECT_UNKNOWN


class TrainingError(BratssegError):
    """A training run cannot go on; its last checkpoint is kept."""

    code = Code.TRAINING_FAILED


class CaseError(BratssegError):
    """One case cannot be used; the others can."""

    code = Code.CASE_INVALID


class ReadError(CaseError):
    """A file is missing, truncated, or not what its name says."""

    code = Code.UNREADABLE


class ContentError(CaseError):
    """The voxels cannot be a scan of one modality."""

    code = Code.CONTENT_INVALID


class ModalityMissing(CaseError):
    """The model needs a modality that the case lacks."""

    code = Code.MODALITY_MISSING


class ModalityAmbiguous(CaseError):
    """Two files claim one modality, or one file claims two."""

    code = Code.MODALITY_AMBIGUOUS


class GeometryError(CaseError):
    """The header does not say where the voxels are."""

    code = Code.GEOMETRY_INVALID


class GridMismatch(CaseError):
    """Volumes that must share a grid do not."""

    code = Code.GRIDS_DIFFER


class NotBrainExtracted(CaseError):
    """The scan still shows skull or air noise."""

    code = Code.SKULL_ON


class UnlikeBrain(CaseError):
    """The model expects a scan of a brain, and what was measured of this one is unlike any."""

    code = Code.NOT_A_BRAIN_SCAN
    way_on = " (--force goes on all the same)"
    """How messages end; not for those who have no command line."""


class LabelError(CaseError):
    """Label values outside the dialect."""

    code = Code.LABELS_INVALID


class WriteError(CaseError):
    """A result could not be written; nothing half-written is left."""

    code = Code.NOT_WRITTEN
