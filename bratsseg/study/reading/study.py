"""Read one volume, or all volumes of a case, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import ContentError, ReadError
from bratsseg.files import GZIP_MAGIC
from bratsseg.study.case import Case, VolumeSource, raise_fatal
from bratsseg.study.grid import Grid
from bratsseg.study.reading import itk, nifti, picture
from bratsseg.study.reading.content import Content, read_content
from bratsseg.study.reading.geometry import GeometryPolicy
from bratsseg.study.reading.header import SLICER_SEGMENTATION, Header
from bratsseg.study.stack import FileState, is_plain
from bratsseg.study.volume import Study, Volume

DEFAULT_POLICY = GeometryPolicy()
_MASK = "brain mask"


class Format(Protocol):
    """What a module of this package offers for its file format."""

    def read_header(self, source: VolumeSource, content: Content, owner: str, policy: GeometryPolicy) -> Header:
        """The header of one volume."""

    def read_voxels(
        self, source: VolumeSource, content: Content, header: Header, owner: str
    ) -> tuple[NDArray[np.generic], tuple[str, ...]]:
        """The stored voxels, (I, J, K), and notes on what was odd and tolerated."""


def read_header(
    source: VolumeSource, owner: str, policy: GeometryPolicy = DEFAULT_POLICY, content: Content | None = None
) -> Header:
    """What the file says about a volume, without its voxels.

    ``owner`` ("case 7: T1ce") opens every message, ``content`` is the file's where it was read before. Raises
    ``ReadError``, ``ContentError`` or ``GeometryError``.
    """
    content = content or Content(source.path)
    return _format_of(content, owner).read_header(source, content, owner, policy)


def read_volume(
    source: VolumeSource, owner: str, policy: GeometryPolicy = DEFAULT_POLICY, content: Content | None = None
) -> Volume:
    """One volume as it is stored: voxels (I, J, K) in native byte order, grid in RAS mm, the source's NIfTI header.

    ``content`` is the file's where it was read before (``read_content``).
    Raises ``ReadError`` (missing, truncated, damaged), ``ContentError`` (not one grey 3-D volume) or
    ``GeometryError`` (the header does not say where the voxels are, and ``policy`` does not help).
    """
    return _read(source, content or Content(source.path), owner, policy)[0]


def read_reference(path: Path, owner: str, policy: GeometryPolicy = DEFAULT_POLICY, onto: Grid | None = None) -> Volume:
    """A label map somebody made, as stored values on its own grid; a ``Dialect`` gives the values a meaning.

    3D Slicer stores of a segmentation (``.seg.nrrd``) only the box that holds something: where that is a part of the
    grid ``onto``, the map is given there, with 0 around.
    """
    header = read_header(VolumeSource(path, 0), owner, policy)
    if header.volumes > 1 and header.grid.physical:
        raise ContentError(
            f"{owner}: a label map must be one volume of whole numbers, was {header.volumes} volumes in 4-D (a class "
            "in each?); store the classes as values of one volume first"
        )
    volume = read_volume(VolumeSource(path), owner, policy)
    if onto is not None and path.name.lower().endswith(SLICER_SEGMENTATION):
        return _padded(volume, onto)
    if volume.grid.physical:
        return volume
    return replace(volume, voxels=picture.without_loss(path, volume.voxels))


def _padded(volume: Volume, onto: Grid) -> Volume:
    """The volume with 0 around it on a grid that holds it whole, and as it is where ``onto`` does not."""
    start = volume.grid.offset_in(onto)
    if start is None:
        return volume
    box = tuple(slice(first, first + size) for first, size in zip(start, volume.grid.shape, strict=True))
    if any(part.start < 0 or part.stop > size for part, size in zip(box, onto.shape, strict=True)):
        return volume
    voxels = np.zeros(onto.shape, dtype=volume.voxels.dtype, order="F")
    voxels[box] = volume.voxels
    return replace(volume, voxels=voxels, grid=onto)


@dataclass(frozen=True, eq=False)
class StudyFiles:
    """The files of a case after each was read once: ``states`` by path, whatever came of them."""

    states: dict[Path, FileState]
    _outcome: Study | Exception

    def study(self) -> Study:
        """The study that they hold; raises what ``read_volume`` would have raised of the first file that holds none."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def read_study(case: Case, policy: GeometryPolicy = DEFAULT_POLICY) -> Study:
    """All volumes of a case and its brain mask.

    Raises the case's own first fatal problem as the error it is, and whatever ``read_volume`` raises. What was odd but
    tolerated is in ``Study.warnings``.
    """
    raise_fatal(case.id, case.problems)
    return read_files(case, policy).study()


def read_files(case: Case, policy: GeometryPolicy = DEFAULT_POLICY) -> StudyFiles:
    """Read and hash the files of a case, four at a time, whatever may be wrong with some of them.

    The bytes of a file are read from the disk once and give its hash and all its volumes; beside the volumes, the
    bytes of at most four files are in memory. Read again from the disk are MetaImage and NRRD, which ITK reads itself,
    the other half of a NIfTI pair, and files larger than ``content.MOST_KEPT``.
    """
    wanted: dict[Path, dict[str, VolumeSource]] = {}
    for name, source in _parts(case).items():
        wanted.setdefault(source.path, {})[name] = source
    with ThreadPoolExecutor(max_workers=4) as pool:
        files = list(pool.map(lambda parts: _read_file(parts, f"case {case.id}", policy), wanted.values()))
    outcome: Study | Exception
    try:
        outcome = _study_of(case, {name: part for file in files for name, part in file.parts.items()})
    except Exception as error:  # whoever asks for the study gets it, as if he had read the files himself
        outcome = error
    return StudyFiles(dict(zip(wanted, (file.state for file in files), strict=True)), outcome)


def _parts(case: Case) -> dict[str, VolumeSource]:
    parts = {modality.label: source for modality, source in case.sources.items()}
    return parts if case.mask is None else parts | {_MASK: VolumeSource(case.mask)}


@dataclass(frozen=True, eq=False)
class _FileRead:
    """One file, and by name the volumes that were asked of it, or why one could not be read."""

    state: FileState
    parts: dict[str, tuple[Volume, Header] | Exception]


def _read_file(sources: Mapping[str, VolumeSource], owner: str, policy: GeometryPolicy) -> _FileRead:
    content, state = read_content(next(iter(sources.values())).path)
    parts: dict[str, tuple[Volume, Header] | Exception] = {}
    for name, source in sources.items():
        try:
            parts[name] = _read(source, content, f"{owner}: {name}", policy)
        except Exception as error:  # the other files are read all the same, so that each has its hash
            parts[name] = error
    return _FileRead(state, parts)


def _study_of(case: Case, read: Mapping[str, tuple[Volume, Header] | Exception]) -> Study:
    volumes: dict[str, Volume] = {}
    warnings = [problem.message for problem in case.problems]
    for name in _parts(case):
        part = read[name]
        if isinstance(part, Exception):
            raise part
        volumes[name], header = part
        warnings += [f"{name}: {note}" for note in header.notes]
    scans = {modality: volumes[modality.label] for modality in case.sources}
    return Study(case.id, scans, volumes.get(_MASK), tuple(warnings))


def is_picture(case: Case) -> bool:
    """True when every scan of the case is a picture, by the first bytes of its file; False when there is none."""
    owner = f"case {case.id}"
    try:
        return bool(case.sources) and all(_format_of(Content(s.path), owner) is picture for s in case.sources.values())
    except ReadError:
        return False  # whoever reads the case says why


def _read(source: VolumeSource, content: Content, owner: str, policy: GeometryPolicy) -> tuple[Volume, Header]:
    reader = _format_of(content, owner)
    header = reader.read_header(source, content, owner, policy)
    voxels, notes = reader.read_voxels(source, content, header, owner)
    volume = Volume(voxels, header.grid, header.slope, header.intercept, header.nifti, source.path)
    return volume, replace(header, notes=header.notes + notes)


def _format_of(content: Content, owner: str) -> Format:
    """The format by the file's first bytes; a name is only believed for MetaImage, whose text has no mark."""
    path = content.path
    if not is_plain(path):
        return picture
    if path.is_dir():
        raise ReadError(f"{owner}: {path} is a folder; a file is needed")
    try:
        with content.open() as stream:
            start = stream.read(64)
    except OSError:
        return nifti  # says what is wrong with the file
    if start.startswith(b"NRRD0"):
        return itk
    if start.startswith(picture.MAGIC):
        return picture
    if path.suffix.lower() in (".mha", ".mhd") and not start.startswith(GZIP_MAGIC) and start:
        return itk
    return nifti
