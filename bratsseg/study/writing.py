"""Writing: a label map or a probability → NIfTI in the source's own geometry, whole or not at all.

The source's header is kept, so that both matrices, both codes and the units are the source's; measured over 13 odd
headers, nibabel with an affine alone loses the qform and the units, MONAI's SaveImage the units and codes. What could
carry a patient's name (free text, extensions) is emptied. Equal input gives equal bytes: the gzip stamp is zero.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from bratsseg.errors import GridMismatch
from bratsseg.files import write_bytes
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
    """Write ``label_map_bytes`` to ``path``, compressed when its name ends in ``.gz``; ``WriteError``."""
    write_bytes(path, label_map_bytes(labels, like, description, owner=path.name, packed=_packed(path)))


def label_map_bytes(
    labels: NDArray[np.uint8],
    like: Volume,
    description: str,
    *,
    owner: str = "label map",
    packed: bool = True,
    extensions: Sequence[nib.nifti1.Nifti1Extension] = (),
) -> bytes:
    """Label values (I, J, K) uint8 as a NIfTI file on the grid of ``like``, with its header's matrices and units.

    ``description`` (at most 79 bytes, "bratsseg 0.1.0") is how results are told from references. ``extensions`` go into
    the header. ``packed`` compresses. ``owner`` opens the message of a ``GridMismatch``, raised when shapes differ.
    """
    _require_shape(labels, like, owner)
    return _block(_result_header(like, description, 1.0), np.asarray(labels, dtype=np.uint8), packed, extensions)


def write_probability(
    path: Path, probability: NDArray[np.float32], like: Volume, description: str = "bratsseg"
) -> None:
    """Write ``probability_bytes`` to ``path``, compressed when its name ends in ``.gz``; ``WriteError``."""
    write_bytes(path, probability_bytes(probability, like, description, owner=path.name, packed=_packed(path)))


def probability_bytes(
    probability: NDArray[np.float32],
    like: Volume,
    description: str = "bratsseg",
    *,
    owner: str = "probability",
    packed: bool = True,
) -> bytes:
    """A probability (I, J, K) float32 in [0, 1] as uint8 with slope 1/255; otherwise as ``label_map_bytes``."""
    steps = np.rint(np.clip(probability, 0.0, 1.0) * np.float32(255.0)).astype(np.uint8)
    _require_shape(steps, like, owner)
    return _block(_result_header(like, description, 1.0 / 255.0), steps, packed, ())


def write_volume(path: Path, volume: Volume) -> None:
    """Write one scan as gzipped or plain NIfTI: stored voxels, scaling and geometry are the source's, bit by bit.

    A source that is no NIfTI gets a header with its grid. Raises ``WriteError`` when nothing was written.
    """
    header = _plain_header(volume.grid) if volume.header is None else volume.header.as_byteswapped("<")
    header.set_data_shape(volume.grid.shape)
    header.set_data_dtype(volume.voxels.dtype)
    header["scl_slope"], header["scl_inter"] = volume.slope, volume.intercept
    voxels = volume.voxels.astype(volume.voxels.dtype.newbyteorder("<"), copy=False)
    write_bytes(path, _block(header, voxels, _packed(path), ()))


def _packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _require_shape(stored: NDArray[np.uint8], like: Volume, owner: str) -> None:
    if stored.shape != like.grid.shape:
        raise GridMismatch(f"{owner}: must be {like.grid.shape} like its source, was {stored.shape}")


def _block(
    header: nib.Nifti1Header,
    stored: NDArray[np.generic],
    packed: bool,
    extensions: Sequence[nib.nifti1.Nifti1Extension],
) -> bytes:
    """A whole file, little-endian as ``header`` and ``stored`` must be."""
    beside = io.BytesIO()
    nib.nifti1.Nifti1Extensions(extensions).write_to(beside, byteswap=sys.byteorder != "little")
    header["magic"] = header.single_magic
    header["vox_offset"] = header.single_vox_offset + len(beside.getvalue())
    extended = bytes([1 if extensions else 0, 0, 0, 0])
    # Turned by a copy, which other threads do not wait for as they do for tobytes(order="F").
    voxels = np.ascontiguousarray(stored.T).reshape(-1).view(np.uint8)
    content = b"".join((header.binaryblock, extended, beside.getvalue(), voxels.data))
    return bytes(igzip.compress(content, _GZIP_LEVEL, mtime=0) if packed else content)


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
