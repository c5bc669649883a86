"""One study as nnU-Net keeps it: a file for each channel, linked or copied, and consecutive label values."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bratsseg.errors import CaseError, GeometryError, GridMismatch, LabelError, ModalityMissing, WriteError
from bratsseg.exchange.translation import Translation
from bratsseg.results.labelmaps import LabelMapFile
from bratsseg.results.reading import read_labels
from bratsseg.results.sorting import LENIENT
from bratsseg.study.case import Case, VolumeSource, raise_fatal
from bratsseg.study.checks import check_case
from bratsseg.study.dialect import get_dialect
from bratsseg.study.modality import Modality
from bratsseg.study.reading import Header, read_volume
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume
from bratsseg.study.writing import write_label_map, write_volume

ENDING = ".nii.gz"
DIALECT = "nnunet-brats21"


@dataclass(frozen=True)
class Reference:
    """A case's label map and the dialect it is in."""

    item: LabelMapFile
    dialect: str


@dataclass(frozen=True)
class NnunetCase:
    """The files of one case, and what its labels lost on the way, in words."""

    files: tuple[Path, ...]
    losses: tuple[str, ...] = ()


def place_case(
    case: Case, reference: Reference | None, channels: Sequence[Modality], images: Sequence[Path], label: Path
) -> NnunetCase:
    """Put the channels of a case at ``images`` and its reference at ``label``; a ``CaseError`` leaves nothing behind.

    Scans keep their bytes where they are one gzipped NIfTI volume, otherwise their stored voxels, scaling and header.
    Labels lie on the grid of channel 0, so that nnU-Net finds both the same.
    """
    try:
        headers = _headers(case, channels)
        if reference is not None:
            _refuse_dialect(case.id, reference)
        for modality, path in zip(channels, images, strict=True):
            _place(case.sources[modality], headers[modality], path, f"case {case.id}: {modality.label}")
        if reference is None:
            return NnunetCase(tuple(images))
        losses = _write_labels(reference, case.id, headers[channels[0]], channels[0], label)
    except CaseError:
        for path in (*images, label):
            path.unlink(missing_ok=True)
        raise
    return NnunetCase((*images, label), tuple(losses))


def _headers(case: Case, channels: Sequence[Modality]) -> dict[Modality, Header]:
    lacking = [modality.label for modality in channels if modality not in case.sources]
    if lacking:
        raise ModalityMissing(
            f"case {case.id}: must have every channel of the data set, lacks {', '.join(lacking)}; "
            "name fewer with --modalities, or leave the case out"
        )
    checked = check_case(case)
    raise_fatal(case.id, checked.problems)
    if any(not checked.headers[modality].grid.physical for modality in channels):
        raise GeometryError(
            f"case {case.id}: its voxels must have a size in mm, as nnU-Net plans by it; pictures have none"
        )
    return checked.headers


def _refuse_dialect(case: str, reference: Reference) -> None:
    if get_dialect(reference.dialect).expresses != frozenset(Region):
        raise LabelError(
            f"case {case}: the reference must tell WT, TC and ET apart, dialect {reference.dialect} does not"
        )


def _place(source: VolumeSource, header: Header, path: Path, owner: str) -> None:
    nifti = header.nifti
    single = nifti is not None and header.volumes == 1 and not bytes(nifti["magic"]).startswith(b"ni")
    if not (single and source.path.name.lower().endswith(ENDING)):
        write_volume(path, read_volume(source, owner, LENIENT))
        return
    try:
        os.link(source.path.resolve(), path)
    except OSError:  # another file system, or one without links
        try:
            shutil.copyfile(source.path, path)
        except OSError as error:
            raise WriteError(f"{owner}: must fit into OUT; {error.strerror or error}") from error


def _write_labels(reference: Reference, case: str, scan: Header, first: Modality, path: Path) -> Iterable[str]:
    spoken = get_dialect(reference.dialect)
    volume, stored = read_labels(reference.item, scan.grid)
    found = {int(value) for value in np.flatnonzero(np.bincount(stored.ravel(order="K")))} - {0}
    if found - spoken.meaning.keys():
        spoken.decode(stored, f"case {case}: {reference.item.path.name}")  # raises, and says what is wrong
    if not scan.grid.same_as(volume.grid):
        raise GridMismatch(
            f"case {case}: the reference must lie on the grid of {first.label}, but "
            f"{volume.grid.difference(scan.grid)}; resample it first"
        )
    translation = Translation.between(spoken, get_dialect(DIALECT))
    write_label_map(
        path, translation.table[stored], Volume(stored, scan.grid, header=scan.nifti), f"label map in {DIALECT}"
    )
    return translation.losses(found)
