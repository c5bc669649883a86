"""Geometry of a sample changed: mirrored and turned to the bit, or rotated, zoomed and bent in one interpolation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bratsseg.errors import UsageError
from bratsseg.tensors.transfer import sent


def mirror_and_turn(sample: Tensor, flips: Sequence[bool], turns: int) -> Tensor:
    """Mirror (C, *S) along each axis that ``flips`` names, then turn it ``turns`` times by 90° in the first two."""
    axes = [axis for axis, flip in enumerate(flips, 1) if flip]
    sample = sample.flip(axes) if axes else sample
    if not turns:
        return sample
    if sample.shape[1] != sample.shape[2]:
        raise UsageError(
            f"augmentation.quarter_turns: windows must be as long as wide, were {tuple(sample.shape[1:])}; "
            "set it to 0, or windows.size to squares"
        )
    return sample.rot90(turns, (1, 2))


def warp(
    picture: Tensor, truth: Tensor, matrix: Tensor, displacement: Tensor | None, fill: str
) -> tuple[Tensor, Tensor]:
    """Rotate, zoom and bend a sample: ``picture`` (C, *S) float32 linearly, ``truth`` (R, *S) of 0 and 1 by nearest.

    The voxel at c, counted from the centre, comes from ``matrix`` (D, D) c plus the ``displacement`` (D, *nodes) in
    voxels, whose nodes span the sample with cubic B-splines between them.
    """
    places = _places(picture.shape[1:], matrix, displacement)[None]
    padding = "border" if fill == "edge" else "zeros"
    moved = F.grid_sample(picture[None], places, "bilinear", padding, align_corners=True)[0]
    # All regions as the bits of one number: one gather in place of one for each.
    bits = (2 ** torch.arange(len(truth), device=truth.device)).view(-1, *[1] * (truth.ndim - 1))
    packed = (truth.int() * bits).sum(0).float()[None, None]
    packed = F.grid_sample(packed, places, "nearest", padding, align_corners=True)[0].int()
    return moved, (packed.bitwise_and(bits) > 0).to(truth.dtype)


def _places(shape: Sequence[int], matrix: Tensor, displacement: Tensor | None) -> Tensor:
    """(*S, D) where each voxel comes from, as ``grid_sample`` counts: -1 to 1, the last axis first."""
    dims = len(shape)
    centred = [torch.arange(n, device=matrix.device) - (n - 1) / 2 for n in shape]
    shift = None if displacement is None else _between_nodes(displacement, shape)
    parts = []
    for axis in range(dims):
        place = torch.zeros((), device=matrix.device)
        for other in range(dims):
            line = centred[other] * matrix[axis, other]
            place = place + line.view([-1 if d == other else 1 for d in range(dims)])
        place = place if shift is None else place + shift[axis]
        parts.append(place * (2.0 / max(shape[axis] - 1, 1)))
    return torch.stack(parts[::-1], -1)


def _between_nodes(displacement: Tensor, shape: Sequence[int]) -> Tensor:
    """(D, *nodes) → (D, *S)."""
    for axis, size in enumerate(shape, 1):
        rows = sent(_spline_rows(size, displacement.shape[axis]).to(displacement.dtype), displacement.device)
        displacement = torch.movedim(torch.tensordot(rows, displacement, dims=([1], [axis])), 0, axis)
    return displacement


def _spline_rows(size: int, nodes: int) -> Tensor:
    """(size, nodes) weights of uniform cubic B-splines, which sum to 1 at every voxel."""
    at = torch.linspace(1.0, nodes - 2.0, size)[:, None]
    far = (at - torch.arange(nodes)[None]).abs()
    near = 2 / 3 - far**2 + far**3 / 2
    return torch.where(far < 1, near, (2 - far).clamp_min(0) ** 3 / 6)
