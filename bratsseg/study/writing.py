"""Writing: a label map or a probability → NIfTI in the source's own geometry, whole or not at all.

The source's header is kept, so that both matrices, both codes and the units are the source's; measured over 13 odd
headers, nibabel with an affine alone loses the qform and the units, MONAI's SaveImage the units and codes. What could
carry a patient's name (free text, extensions) is emptied. Equal input gives equal bytes: the gzip stamp is zero.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from bratsseg.errors import GridMismatch, WriteError
from bratsseg.study.grid import Grid
from bratsseg.study.volume import Volume

_GZIP_LEVEL = 1  # isal: .004 s and 39 KiB for a label map of 240x240x155
_ZEROED = (
    "cal_min",
    "cal_max",
    "intent_p1",
    "intent_p2",
    "intent_p3",
    "intent_code",
    "slice_code",
    "slice_start",
    "slice_end",
)
_EMPTIED = ("intent_name", "aux_file", "descrip", "db_name", "data_type")


def write_label_map(path: Path, labels: NDArray[np.uint8], like: Volume, description: str) -> None:
    """Write label values (I, J, K) uint8 as NIfTI on the grid of ``like``, with its header's matrices and units.

    ``description`` (at most 79 bytes, "bratsseg 0.1.0") is how results are told from references. A name ending in
    ``.gz`` is compressed. Raises ``GridMismatch`` when shapes differ and ``WriteError`` when nothing was written.
    """
    _write_nifti(path, labels, like, description, slope=1.0)


def write_probability(
    path: Path, probability: NDArray[np.float32], like: Volume, description: str = "bratsseg"
) -> None:
    """Write a probability (I, J, K) float32 in [0, 1] as uint8 with slope 1/255, else as ``write_label_map``."""
    steps = np.rint(np.clip(probability, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)
    _write_nifti(path, steps, like, description, slope=1.0 / 255.0)


def write_volume(path: Path, volume: Volume) -> None:
    """Write one scan as gzipped or plain NIfTI: stored voxels, scaling and geometry are the source's, bit by bit.

    A source that is no NIfTI gets a header with its grid. Raises ``WriteError`` when nothing was written.
    """
    header = _plain_header(volume.grid) if volume.header is None else volume.header.as_byteswapped("<")
    header.set_data_shape(volume.grid.shape)
    header.set_data_dtype(volume.voxels.dtype)
    header["scl_slope"], header["scl_inter"] = volume.slope, volume.intercept
    _write_block(path, header, volume.voxels.astype(volume.voxels.dtype.newbyteorder("<"), copy=False))


def write_json(path: Path, mapping: Mapping[str, object]) -> None:
    """Write JSON, indented, UTF-8, whole or not at all; ``WriteError``. NaN is refused: it is not JSON."""
    try:
        text = json.dumps(mapping, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WriteError(f"{path.name}: must be plain JSON values; {error}") from error
    write_bytes(path, f"{text}\n".encode())


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; ``WriteError``."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` by rename, so that a reader sees the old file or the new one and never a part.

    The temporary file lies in the same folder under a hidden name that ``find_cases`` skips, and is removed on failure.
    """
    part = path.with_name(f".bratsseg-{secrets.token_hex(8)}.part")
    try:
        _write_synced(part, content)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise WriteError(f"{path}: could not be written; {error.strerror or error}; nothing was left behind") from error
    finally:
        _remove(part)


def _write_nifti(path: Path, stored: NDArray[np.uint8], like: Volume, description: str, slope: float) -> None:
    if stored.shape != like.grid.shape:
        raise GridMismatch(f"{path.name}: must be {like.grid.shape} like its source, was {stored.shape}")
    _write_block(path, _result_header(like, description, slope), np.asarray(stored, dtype=np.uint8))


def _write_block(path: Path, header: nib.Nifti1Header, stored: NDArray[np.generic]) -> None:
    header["magic"] = header.single_magic
    header["vox_offset"] = header.single_vox_offset
    content = header.binaryblock + bytes(4) + stored.tobytes(order="F")
    if path.name.lower().endswith(".gz"):
        content = igzip.compress(content, _GZIP_LEVEL, mtime=0)
    write_bytes(path, content)


def _result_header(like: Volume, description: str, slope: float) -> nib.Nifti1Header:
    header = _plain_header(like.grid) if like.header is None else like.header.as_byteswapped("<")
    header.set_data_shape(like.grid.shape)
    header.set_data_dtype(np.uint8)
    for name in _ZEROED:
        header[name] = 0
    for name in _EMPTIED:
        if name in header:  # NIfTI-2 has fewer
            header[name] = b""
    header["descrip"] = description.encode()[:79]
    header["scl_slope"], header["scl_inter"] = slope, 0.0
    return header


def _plain_header(grid: Grid) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_xyzt_units("mm")
    header.set_qform(grid.affine, code=1)
    header.set_sform(grid.affine, code=1)
    return header


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; the file is already whole, so a system that cannot is forgiven."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)
