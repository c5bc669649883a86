"""Arrays to a device without waiting for what the device has still to do.

A copy out of ordinary memory is waited for, and so is everything that was started before it: a study's input would wait
for the networks of the studies before. Out of page-locked memory the copy takes its turn by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bratsseg.study.volume import Box, Volume

_AS_STORED = tuple(np.dtype(kind) for kind in (np.uint8, np.int8, np.int16))
"""Types that travel as they are stored, being smaller than float32 and exact in it."""


def is_gpu(device: str | torch.device) -> bool:
    """Whether a device computes apart from the CPU, so that copies to and from it can be waited for."""
    return torch.device(device).type == "cuda"


def to_device(values: NDArray[Any], device: str) -> Tensor:
    """``values`` as a tensor on ``device``, of the same shape and type."""
    if not is_gpu(device):
        return torch.from_numpy(values).to(device)
    if values.ndim > 1 and values.strides[0] < values.strides[-1]:  # stored with the first axis fastest
        return to_device(values.T, device).permute(*reversed(range(values.ndim)))
    kind = torch.from_numpy(np.empty(0, dtype=values.dtype)).dtype
    locked = torch.empty(values.shape, dtype=kind, pin_memory=True)
    np.copyto(locked.numpy(), values)  # not torch's own copy, which would take every core for it
    return locked.to(device, non_blocking=True)  # torch keeps the locked memory until the copy is through


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the CPU on ``device``."""
    return values.pin_memory().to(device, non_blocking=True) if is_gpu(device) else values.to(device)


def values_on(volume: Volume, box: Box, device: str) -> Tensor:
    """``volume.values(box)``, the real intensities (I, J, K) float32, on ``device``; scaled there, on a GPU."""
    if not (is_gpu(device) and volume.voxels.dtype in _AS_STORED):
        return to_device(volume.values(box), device)
    return scaled(to_device(volume.voxels[box], device), volume.slope, volume.intercept)


def scaled(stored: Tensor, slope: float, intercept: float) -> Tensor:
    """Stored voxels to real intensities in float32, step by step as ``Volume.values`` does it."""
    values = stored.float()
    if slope != 1.0:
        values = values * float(np.float32(slope))
    if intercept != 0.0:
        values = values + float(np.float32(intercept))
    return values
