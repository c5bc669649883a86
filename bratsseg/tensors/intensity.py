"""Intensities of a sample changed: blurred, coarsened, bent, made noisy, scaled. What is exactly 0 stays 0."""

from __future__ import annotations

import torch
from torch import Tensor

from bratsseg.tensors.transfer import sent


def smooth(values: Tensor, dims: int, blur: float, edge: float) -> Tensor:
    """Blur the last ``dims`` axes by a Gaussian of ``blur`` voxels, then see them as voxels of ``edge`` voxels would.

    Both are one matrix along each axis, so that either costs the same.
    """
    for axis in range(values.ndim - dims, values.ndim):
        rows = sent(_smoothing_rows(values.shape[axis], blur, edge).to(values.dtype), values.device)
        values = torch.movedim(torch.tensordot(rows, values, dims=([1], [axis])), 0, axis)
    return values


def apply_gamma(values: Tensor, exponent: float) -> Tensor:
    """The power ``exponent`` of the intensities between their smallest and largest."""
    low, high = values.amin(), values.amax()
    span = (high - low).clamp_min(1e-6)
    return ((values - low) / span).clamp_min(0.0) ** exponent * span + low


def noise_like(values: Tensor, deviation: float, seed: int) -> Tensor:
    """Gaussian noise of a seed; the same on one kind of device, not between kinds."""
    generator = torch.Generator(values.device).manual_seed(seed)
    return torch.randn(values.shape, generator=generator, device=values.device) * deviation


def _smoothing_rows(size: int, blur: float, edge: float) -> Tensor:
    """(size, size) rows: Gaussian weights, then means over coarse voxels, then linear between their centres."""
    at = torch.arange(size, dtype=torch.float64)
    rows = torch.eye(size, dtype=torch.float64)
    if blur > 0:
        rows = torch.exp(-0.5 * ((at[:, None] - at[None]) / blur) ** 2)
        rows = rows / rows.sum(1, keepdim=True)
    if edge > 1:
        count = max(1, round(size / edge))
        edge = size / count
        starts = torch.arange(count, dtype=torch.float64)[:, None] * edge
        covered = (torch.minimum(starts + edge, at + 1) - torch.maximum(starts, at)).clamp_min(0) / edge
        wanted = ((at + 0.5) / edge - 0.5).clamp(0, count - 1)
        between = (1 - (wanted[:, None] - torch.arange(count)[None]).abs()).clamp_min(0)
        rows = between @ covered @ rows
    return rows.float()
