"""NIfTI-1 and NIfTI-2, single files and pairs, gzipped or not: nibabel's headers over isal's gzip.

Measured: four gzipped int16 volumes of 240x240x155 take .06 s, nibabel alone .16 s. A gzip stream is read to its end,
so that its checksum is proved; SimpleITK, itk and MONAI's itk reader accept a truncated ``.nii`` without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import nibabel as nib
import numpy as np
from isal import igzip
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from bratsseg.errors import ContentError, ReadError
from bratsseg.files import GZIP_MAGIC
from bratsseg.study.case import VolumeSource
from bratsseg.study.detached import pair_part
from bratsseg.study.grid import Grid
from bratsseg.study.reading.content import Content
from bratsseg.study.reading.foreign import what_else
from bratsseg.study.reading.geometry import GeometryPolicy, choose_affine
from bratsseg.study.reading.gunzip import Gunzip
from bratsseg.study.reading.header import Header, check_channel, check_type, split_shape
from bratsseg.wording import counted

Stream = BinaryIO | Gunzip
_CHUNK = 1 << 20
_NO_SCAN = 352  # bytes that a header alone takes: fewer hold no scan
_DEFLATE_LIMIT = 1100  # deflate shrinks at most 1032 times


def read_header(source: VolumeSource, content: Content, owner: str, policy: GeometryPolicy) -> Header:
    """The header of one NIfTI volume; ``ReadError``, ``ContentError`` or ``GeometryError``."""
    nifti = read_nifti_header(content, owner)
    try:
        stored_shape, dtype = nifti.get_data_shape(), nifti.get_data_dtype()
    except (HeaderDataError, KeyError, ValueError) as error:
        raise ContentError(f"{owner}: the header's shape or voxel type is not one of NIfTI's; {error}") from error
    shape, volumes = split_shape(tuple(int(size) for size in stored_shape), owner)
    check_type(dtype, owner)
    check_channel(source, volumes, owner)
    _offset(nifti, owner)
    affine, notes = choose_affine(nifti, shape, owner, policy)
    slope, intercept = _scaling(nifti, owner)
    return Header(Grid.of(shape, affine), dtype, volumes, slope, intercept, nifti, notes)


def read_nifti_header(content: Content, owner: str) -> nib.Nifti1Header:
    """The raw NIfTI-1 or -2 header, as it is stored; ``ReadError`` when the file has none."""
    path = content.path
    with _opened(content, pair_part(path, "hdr"), owner) as stream:
        block = b""
        while len(block) < 540 and (more := stream.read(540 - len(block))):
            block += more
    for kind, size, magic in ((nib.Nifti1Header, 348, block[344:347]), (nib.Nifti2Header, 540, block[4:7])):
        if len(block) >= size and magic in (b"n+1", b"ni1", b"n+2", b"ni2"):
            header: nib.Nifti1Header = kind(block[:size], check=False)
            if int(header["sizeof_hdr"]) == size:
                return header
    if len(block) >= 348 and 348 in (int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big")):
        raise ReadError(
            f"{owner}: must be NIfTI, was Analyze 7.5, which does not say left from right; convert it from the source"
        )
    if block.startswith(GZIP_MAGIC):
        raise ReadError(f"{owner}: must be NIfTI, but {path.name} was packed twice; unpack it once")
    raise ReadError(f"{owner}: must be NIfTI, but {path.name} {what_else(block)}")


def read_voxels(
    source: VolumeSource, content: Content, header: Header, owner: str
) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    """The stored voxels, (I, J, K) in Fortran order, writable, in native byte order, and what was odd about the file.

    ``ReadError`` when it is cut short or damaged.
    """
    nifti = cast("nib.Nifti1Header", header.nifti)
    paired = bytes(nifti["magic"]).startswith(b"ni")
    path = pair_part(source.path, "img") if paired else source.path
    count = int(np.prod(header.grid.shape, dtype=np.int64))
    channel = check_channel(source, header.volumes, owner)
    offset = _offset(nifti, owner) + channel * count * header.dtype.itemsize
    with _opened(content, path, owner) as stream:
        needed = offset + count * header.dtype.itemsize
        if content.size_of(path) * _DEFLATE_LIMIT < needed:
            raise _truncated(owner, path, 0, needed)
        _skip(stream, offset, owner, path)
        flat: NDArray[np.generic] = np.empty(count, dtype=header.dtype)
        _fill(stream, flat.data.cast("B"), owner, path)
        notes = _read_to_end(stream, path, needed)
        last = needed + (header.volumes - 1 - channel) * count * header.dtype.itemsize
        rest = (stream.proved if isinstance(stream, Gunzip) else content.size_of(path)) - last
        if rest > _NO_SCAN:
            notes += (
                f"{rest:,} bytes that follow the voxels in {path.name} were passed over; is it two scans in one?",
            )
    native = flat if flat.dtype.isnative else flat.astype(flat.dtype.newbyteorder("="))
    return native.reshape(header.grid.shape, order="F"), notes


def _offset(nifti: nib.Nifti1Header, owner: str) -> int:
    """Where the voxels begin, in bytes; never inside the header of a single file."""
    stated = float(nifti["vox_offset"])
    if not (np.isfinite(stated) and stated >= 0):
        raise ReadError(
            f"{owner}: the header must say where the voxels begin (vox_offset), but says {stated:g}; convert the scan "
            "again"
        )
    if bytes(nifti["magic"]).startswith(b"ni"):
        return int(stated)
    return max(int(stated), 544 if isinstance(nifti, nib.Nifti2Header) else 352)


def _read_to_end(stream: Stream, path: Path, needed: int) -> tuple[str, ...]:
    """Read on to the end, where gzip proves its checksum; bytes that follow what was proved are told, not feared."""
    if not isinstance(stream, Gunzip) or not (surplus := stream.finish(needed)):
        return ()
    return (f"passed over after the end of the gzip stream in {path.name}: {counted(surplus, 'byte')}",)


@contextmanager
def _opened(content: Content, path: Path, owner: str) -> Iterator[Stream]:
    """The file's bytes, gunzipped when its first bytes say so; every way of failing becomes a ``ReadError``."""
    try:
        with content.open(path) as raw:
            magic = raw.read(2)
            raw.seek(0)
            if not magic:
                raise ReadError(f"{owner}: {path.name} is empty (0 bytes); copy it again")
            if magic == GZIP_MAGIC:
                yield Gunzip(raw)
            else:
                yield raw
    except EOFError as error:
        raise ReadError(f"{owner}: {path.name} is truncated, its gzip stream has no end; copy it again") from error
    except igzip.isal_zlib.error as error:
        raise ReadError(
            f"{owner}: {path.name} is damaged, its gzip stream breaks its own rules; copy it again"
        ) from error
    except FileNotFoundError as error:
        raise ReadError(f"{owner}: {path} does not exist") from error
    except PermissionError as error:
        raise ReadError(f"{owner}: no permission to read {path}") from error
    except OSError as error:
        raise ReadError(f"{owner}: {path} cannot be read; {error.strerror or error}") from error


def _fill(stream: Stream, target: memoryview, owner: str, path: Path) -> None:
    done = 0
    while done < len(target):
        chunk = stream.read(min(_CHUNK, len(target) - done))
        if not chunk:
            raise _truncated(owner, path, done, len(target))
        target[done : done + len(chunk)] = chunk
        done += len(chunk)


def _skip(stream: Stream, count: int, owner: str, path: Path) -> None:
    done = 0
    while done < count:
        chunk = stream.read(min(_CHUNK, count - done))
        if not chunk:
            raise _truncated(owner, path, done, count)
        done += len(chunk)


def _truncated(owner: str, path: Path, found: int, needed: int) -> ReadError:
    return ReadError(
        f"{owner}: {path.name} is truncated, its header promises {needed:,} bytes of voxels and {found:,} are there; "
        "copy it again"
    )


def _scaling(nifti: nib.Nifti1Header, owner: str) -> tuple[float, float]:
    try:
        slope, intercept = nifti.get_slope_inter()
    except HeaderDataError as error:
        slope, intercept = (float(nifti[name]) for name in ("scl_slope", "scl_inter"))
        raise ContentError(
            f"{owner}: slope and intercept must be numbers, the header says {slope:g} and {intercept:g}; "
            "correct it, or export the scan again"
        ) from error
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept or 0.0))
