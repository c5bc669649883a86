"""Tell label maps from scans and other files, by their names and, where names leave it open, by their voxels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bratsseg.errors import CaseError
from bratsseg.study.account import FileKind, LeftOutFile
from bratsseg.study.dialect import whole_numbers
from bratsseg.study.layout.accounting import NOT_READ, unread_in
from bratsseg.study.layout.roles import DICOM_SUFFIXES, FileRole, role_of, stem_of
from bratsseg.study.modality import candidates, words
from bratsseg.study.reading import GeometryPolicy, read_reference

LENIENT = GeometryPolicy(without_codes="accept", shear="accept")
"""How a label map of anybody is read: where its voxels lie matters only against another grid, and is compared there."""
_PREDICTED = {"pred", "preds", "prediction", "predicted"}
_MOST_VALUES = 16
"""A label map has fewer distinct values; a scan, even one of 8 bits, has more."""


@dataclass(frozen=True)
class SortedFiles:
    """The files that are label maps, and each of the others with what it is."""

    label_maps: tuple[Path, ...]
    left_out: tuple[LeftOutFile, ...]


@dataclass(frozen=True)
class _Other:
    """What a file is that is no label map; ``why`` is a reason in the plural."""

    kind: FileKind
    why: str


_SCAN = _Other(FileKind.SCAN, "scans")
_MASK = _Other(FileKind.OTHER, "brain masks")
_DERIVED = _Other(FileKind.OTHER, "probabilities or other files made by programs")
_UNDECIDED = _Other(FileKind.LABEL_MAP, "but its name says mask and not of what; rename it, such as <case>_seg")
_LABEL_MAP = _Other(FileKind.LABEL_MAP, "")


def sort_files(root: Path, files: Sequence[Path], scans: Collection[Path] = ()) -> SortedFiles:
    """Which of ``files`` below ``root`` are label maps; ``scans`` are known to be scans or masks of studies.

    A name that says label map is believed, and so is one that says scan, mask or probability. A name that says nothing
    is a label map (nnU-Net's way) unless the folder also holds what is named as a scan or a label map: then the voxels
    decide, because a scan may be called ``P01.nii.gz`` as well.
    """
    said = {file: _said(file, scans) for file in files}
    mixed = any(what is not None for what in said.values())
    known = {file: what or (_seen_in(file) if mixed else _LABEL_MAP) for file, what in said.items()}
    left = [
        LeftOutFile(file.relative_to(root).as_posix(), what.kind, what.why)
        for file, what in known.items()
        if what is not _LABEL_MAP
    ]
    return SortedFiles(tuple(file for file, what in known.items() if what is _LABEL_MAP), tuple(left))


def _said(file: Path, scans: Collection[Path]) -> _Other | None:
    """What the name says: label map, something else, or nothing."""
    if file in scans:
        return _SCAN
    stem = stem_of(file)
    role = role_of(stem)
    if role is FileRole.REFERENCE or (role is FileRole.DERIVED and _PREDICTED & set(words(stem))):
        return _LABEL_MAP
    if role is not None:
        return {FileRole.MASK: _MASK, FileRole.DERIVED: _DERIVED, FileRole.UNDECIDED: _UNDECIDED}.get(role, _SCAN)
    return _SCAN if candidates(stem) else None


def _seen_in(file: Path) -> _Other:
    """What the voxels show; a file that cannot be read stays a label map, so that it is refused by name."""
    try:
        volume = read_reference(file, file.name, LENIENT)
    except CaseError:
        return _LABEL_MAP
    try:
        values = whole_numbers(volume.values(), file.name)
    except CaseError:
        return _SCAN
    return _LABEL_MAP if np.count_nonzero(np.bincount(values.ravel(order="K"))) < _MOST_VALUES else _SCAN


def not_read(folder: Path) -> tuple[LeftOutFile, ...]:
    """Volumes below ``folder`` in formats that nothing here reads; scans, by their names, or label maps otherwise."""
    left = []
    for name in unread_in(folder):
        stem = stem_of(Path(name))
        scan = name.lower().endswith(DICOM_SUFFIXES) or (role_of(stem) is None and bool(candidates(stem)))
        left.append(LeftOutFile(name, FileKind.SCAN if scan else FileKind.LABEL_MAP, NOT_READ))
    return tuple(left)
