"""What a 2.5-D network sees of a volume: slabs of adjacent slices. Training and inference share this definition."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def slabs(volume: Tensor, slices: int, axis: int = 2) -> Tensor:
    """Cut ``volume`` (C, I, J, K) into one slab per slice along ``axis`` (0, 1, 2 for I, J, K).

    Returns (N, C × slices, A, B): N positions along ``axis``, A and B the other two axes in order. Channel
    ``c * slices + s`` is channel ``c`` at offset ``s - slices // 2``; beyond the ends it is zero. ``slices`` is odd.
    """
    rows = _along(_padded(volume, slices, axis), axis)  # (C, N + slices - 1, A, B)
    channels, _, a, b = rows.shape
    windows = rows.unfold(1, slices, 1)  # (C, N, A, B, slices)
    return windows.permute(1, 0, 4, 2, 3).reshape(-1, channels * slices, a, b)


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


def rows_with(mask: Tensor, axis: int) -> Tensor:
    """Positions along ``axis`` where ``mask`` (I, J, K) bool is anywhere true."""
    return torch.nonzero(mask.movedim(axis, 0).flatten(1).any(1)).flatten()


def _along(volume: Tensor, axis: int) -> Tensor:
    return volume.movedim(axis + 1, 1)


def _padded(volume: Tensor, slices: int, axis: int) -> Tensor:
    pads = [0] * 6
    pads[2 * (2 - axis)] = pads[2 * (2 - axis) + 1] = slices // 2
    return F.pad(volume, pads)
