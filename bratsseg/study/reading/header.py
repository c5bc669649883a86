"""Header: what a file says about its volume before any voxel is read."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from bratsseg.errors import ContentError
from bratsseg.study.case import VolumeSource
from bratsseg.study.grid import Grid
from bratsseg.wording import counted

SLICER_SEGMENTATION = ".seg.nrrd"
"""How names of 3D Slicer's segmentations end."""
ONE_NUMBER = "store one number in each, the intensity of a scan or the value of a label"
"""What is to be done with colours and vectors."""
_NUMBERS = "biuf"


@dataclass(frozen=True, eq=False)
class Header:
    """One volume's header.

    ``dtype`` is the stored type in the file's byte order, ``volumes`` how many the file holds, ``nifti`` the whole
    NIfTI header (None for other formats), ``notes`` what was odd and tolerated.
    """

    grid: Grid
    dtype: np.dtype[np.generic]
    volumes: int = 1
    slope: float = 1.0
    intercept: float = 0.0
    nifti: nib.Nifti1Header | None = None
    notes: tuple[str, ...] = ()


def split_shape(shape: tuple[int, ...], owner: str) -> tuple[tuple[int, int, int], int]:
    """A stored shape → ((I, J, K), number of volumes); ``ContentError`` when it has more than four real axes."""
    if any(size < 1 for size in shape) or not shape:
        raise ContentError(f"{owner}: every axis must have at least one voxel, the header says {shape}")
    sizes = list(shape)
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    volumes = [size for size in sizes[3:] if size > 1]
    if len(volumes) > 1:
        raise ContentError(f"{owner}: must be one 3-D volume, was {len(sizes)}-D {tuple(sizes)}")
    i, j, k = (*sizes, 1, 1)[:3]
    return (i, j, k), (volumes[0] if volumes else 1)


def check_channel(source: VolumeSource, volumes: int, owner: str) -> int:
    """The channel to read, or ``ContentError`` when the file's number of volumes does not fit the source."""
    if source.channel is None and volumes > 1:
        raise ContentError(
            f"{owner}: must be one volume, was {volumes} volumes in 4-D; split it, or say which channel is which "
            "with --layout"
        )
    channel = source.channel or 0
    if not 0 <= channel < volumes:
        raise ContentError(f"{owner}: channel {channel} is asked for, the file has {counted(volumes, 'volume')}")
    return channel


def check_type(dtype: np.dtype[np.generic], owner: str) -> None:
    """``ContentError`` for voxels that are colours or complex numbers."""
    if dtype.kind not in _NUMBERS:
        what = "colours (RGB)" if dtype.fields else "complex numbers" if dtype.kind == "c" else str(dtype)
        raise ContentError(f"{owner}: voxels must be plain numbers, were {what}; {ONE_NUMBER}")
