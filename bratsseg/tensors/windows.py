"""What a network sees of a volume at once: slabs of adjacent slices, or boxes. Training and inference share slabs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config

Pair = tuple[int, int]
Triple = tuple[int, int, int]


class SlabWindows(Config):
    """Slabs of neighbouring slices, for a 2-D network."""

    kind: Literal["slabs"] = "slabs"
    """Tells this kind from the other."""
    slices: int = Field(default=5, ge=1)
    """Neighbouring slices in one slab; odd, the centre one is learnt."""
    size: Pair | tuple[Pair, Pair, Pair] = ((128, 112), (112, 112), (112, 128))
    """In-plane size (A, B), or one each for sagittal (J, K), coronal (I, K), axial (I, J); larger heads are cropped."""
    planes: tuple[float, float, float] = (0.25, 0.25, 0.5)
    """Share of batches from the sagittal, coronal and axial plane."""
    tumour_share: float = Field(default=0.65, ge=0, le=1)
    """Share of slabs whose centre slice is drawn among those with tumour; the others are drawn among all."""

    @model_validator(mode="after")
    def _makes_sense(self) -> SlabWindows:
        if self.slices % 2 == 0:
            raise ValueError("slices must be odd: a slab has a centre slice")
        if min(self.planes) < 0 or sum(self.planes) <= 0:
            raise ValueError("planes must be shares of which one is above 0")
        return self

    @property
    def sizes(self) -> tuple[Pair, Pair, Pair]:
        """In-plane size by the axis that is cut across."""
        if len(self.size) == 3:
            return self.size
        return self.size, self.size, self.size

    @property
    def neighbours(self) -> int:
        """Channels that each modality takes."""
        return self.slices


class BoxWindows(Config):
    """Boxes, for a 3-D network."""

    kind: Literal["boxes"] = "boxes"
    """Tells this kind from the other."""
    size: Triple = (96, 96, 96)
    """Voxels along I, J, K; smaller heads are padded with zeros."""
    tumour_share: float = Field(default=0.65, ge=0, le=1)
    """Share of boxes that hold a tumour voxel drawn from a region at random; the others lie anywhere."""

    @property
    def neighbours(self) -> int:
        """Channels that each modality takes."""
        return 1


Windows = Annotated[SlabWindows | BoxWindows, Field(discriminator="kind")]
"""How samples are cut from a case."""


def slabs(volume: Tensor, slices: int, axis: int = 2) -> Tensor:
    """Cut ``volume`` (C, I, J, K) into one slab per slice along ``axis`` (0, 1, 2 for I, J, K).

    Returns (N, C × slices, A, B): N positions along ``axis``, A and B the other two axes in order. Channel
    ``c * slices + s`` is channel ``c`` at offset ``s - slices // 2``; beyond the ends it is zero. ``slices`` is odd.
    """
    return slab_views(volume, slices, axis).flatten(1, 2)


def slab_views(volume: Tensor, slices: int, axis: int = 2) -> Tensor:
    """``slabs`` as a view (N, C, slices, A, B), which takes little more memory than ``volume`` does."""
    rows = _along(_padded(volume, slices, axis), axis)  # (C, N + slices - 1, A, B)
    return rows.unfold(1, slices, 1).permute(1, 0, 4, 2, 3)


def slab(volume: Tensor, at: int, slices: int, axis: int = 2) -> Tensor:
    """The one slab (C × slices, A, B) at position ``at``; equals ``slabs(volume, slices, axis)[at]``."""
    rows = _along(volume, axis)
    channels, count, a, b = rows.shape
    low, high = at - slices // 2, at + slices // 2 + 1
    cut = rows[:, max(low, 0) : min(high, count)]
    cut = F.pad(cut, (0, 0, 0, 0, max(-low, 0), max(high - count, 0)))
    return cut.reshape(channels * slices, a, b)


def fit(picture: Tensor, size: Sequence[int], start: Sequence[float]) -> Tensor:
    """Crop or zero-pad the last two axes of ``picture`` to ``size``.

    ``start`` in 0..1 per axis says where the window lies: 0 at the low end, 1 at the high end.
    """
    pads: list[int] = []
    for axis, wanted, share in zip((-2, -1), size, start, strict=True):
        spare = picture.shape[axis] - wanted
        low = round(abs(spare) * share)
        if spare > 0:
            picture = picture.narrow(axis, low, wanted)
        pads = [low, -spare - low, *pads] if spare < 0 else [0, 0, *pads]
    return F.pad(picture, pads)


def cut_box(volume: Tensor, corner: Sequence[int], size: Sequence[int]) -> Tensor:
    """(C, *size) of ``volume`` (C, I, J, K) from voxel ``corner`` on, which may lie outside; zeros beyond the volume.

    Touches no voxel outside the box, so that it is cheap on a memory-mapped volume.
    """
    pads: list[int] = []
    for axis, (low, wanted) in enumerate(zip(corner, size, strict=True), 1):
        start, stop = (min(max(edge, 0), volume.shape[axis]) for edge in (low, low + wanted))
        before = min(max(-low, 0), wanted)
        volume = volume.narrow(axis, start, stop - start)
        pads = [before, wanted - before - (stop - start), *pads]
    return F.pad(volume, pads)


def rows_with(mask: Tensor, axis: int) -> Tensor:
    """Positions along ``axis`` where ``mask`` (I, J, K) bool is anywhere true."""
    return torch.nonzero(mask.movedim(axis, 0).flatten(1).any(1)).flatten()


def _along(volume: Tensor, axis: int) -> Tensor:
    return volume.movedim(axis + 1, 1)


def _padded(volume: Tensor, slices: int, axis: int) -> Tensor:
    pads = [0] * 6
    pads[2 * (2 - axis)] = pads[2 * (2 - axis) + 1] = slices // 2
    return F.pad(volume, pads)
