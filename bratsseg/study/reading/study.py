"""Read one volume, or all volumes of a case, whatever their format."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import ContentError, ReadError
from bratsseg.files import GZIP_MAGIC
from bratsseg.study.case import Case, VolumeSource, raise_fatal
from bratsseg.study.grid import Grid
from bratsseg.study.reading import itk, nifti, picture
from bratsseg.study.reading.geometry import GeometryPolicy
from bratsseg.study.reading.header import SLICER_SEGMENTATION, Header
from bratsseg.study.stack import archive_of, is_stack
from bratsseg.study.volume import Study, Volume

DEFAULT_POLICY = GeometryPolicy()


class Format(Protocol):
    """What a module of this package offers for its file format."""

    def read_header(self, source: VolumeSource, owner: str, policy: GeometryPolicy) -> Header:
        """The header of one volume."""

    def read_voxels(
        self, source: VolumeSource, header: Header, owner: str
    ) -> tuple[NDArray[np.generic], tuple[str, ...]]:
        """The stored voxels, (I, J, K), and notes on what was odd and tolerated."""


def read_header(source: VolumeSource, owner: str, policy: GeometryPolicy = DEFAULT_POLICY) -> Header:
    """What the file says about a volume, without its voxels.

    ``owner`` ("case 7: T1ce") opens every message. Raises ``ReadError``, ``ContentError`` or ``GeometryError``.
    """
    return _format_of(source.path, owner).read_header(source, owner, policy)


def read_volume(source: VolumeSource, owner: str, policy: GeometryPolicy = DEFAULT_POLICY) -> Volume:
    """One volume as it is stored: voxels (I, J, K) in native byte order, grid in RAS mm, the source's NIfTI header.

    Raises ``ReadError`` (missing, truncated, damaged), ``ContentError`` (not one grey 3-D volume) or
    ``GeometryError`` (the header does not say where the voxels are, and ``policy`` does not help).
    """
    return _read(source, owner, policy)[0]


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


def read_study(case: Case, policy: GeometryPolicy = DEFAULT_POLICY) -> Study:
    """All volumes of a case and its brain mask.

    Raises the case's own first fatal problem as the error it is, and whatever ``read_volume`` raises. What was odd but
    tolerated is in ``Study.warnings``.
    """
    raise_fatal(case.id, case.problems)
    parts = {modality.label: source for modality, source in case.sources.items()}
    if case.mask is not None:
        parts["brain mask"] = VolumeSource(case.mask)
    with ThreadPoolExecutor(max_workers=4) as pool:
        jobs = {name: pool.submit(_read, source, f"case {case.id}: {name}", policy) for name, source in parts.items()}
        read = {name: job.result() for name, job in jobs.items()}
    warnings = [problem.message for problem in case.problems]
    warnings += [f"{name}: {note}" for name, (_, header) in read.items() for note in header.notes]
    return Study(
        case.id,
        {modality: read[modality.label][0] for modality in case.sources},
        read["brain mask"][0] if case.mask is not None else None,
        tuple(warnings),
    )


def is_picture(case: Case) -> bool:
    """True when every scan of the case is a picture, by the first bytes of its file; False when there is none."""
    owner = f"case {case.id}"
    try:
        return bool(case.sources) and all(_format_of(s.path, owner) is picture for s in case.sources.values())
    except ReadError:
        return False  # whoever reads the case says why


def _read(source: VolumeSource, owner: str, policy: GeometryPolicy) -> tuple[Volume, Header]:
    reader = _format_of(source.path, owner)
    header = reader.read_header(source, owner, policy)
    voxels, notes = reader.read_voxels(source, header, owner)
    volume = Volume(voxels, header.grid, header.slope, header.intercept, header.nifti, source.path)
    return volume, replace(header, notes=header.notes + notes)


def _format_of(path: Path, owner: str) -> Format:
    """The format by the file's first bytes; a name is only believed for MetaImage, whose text has no mark."""
    if is_stack(path) or archive_of(path) is not None:
        return picture
    if path.is_dir():
        raise ReadError(f"{owner}: {path} is a folder; a file is needed")
    try:
        with path.open("rb") as stream:
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
