"""The parts that the U-Nets are made of: a double convolution, and the step from a coarse level to a finer one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["batch", "instance", "none"]
"""What follows a convolution; instance norm needs more than one voxel per channel in training."""
NormOver = Literal["sample", "batch", "nothing"]
"""What a network's norms take their statistics over in training: two values at least must be there."""
Upsampling = Literal["nearest", "linear", "transposed"]
"""How space is doubled."""


class Block(nn.Module):
    """Two 3-wide convolutions, each followed by the norm and ReLU; (N, channels, *space) → (N, width, *space)."""

    def __init__(self, dims: int, channels: int, width: int, *, residual: bool = False, norm: Norm = "batch") -> None:
        super().__init__()
        conv, bias = convolution(dims), norm == "none"
        self.first = conv(channels, width, 3, padding=1, bias=bias)
        self.first_norm = _norm(dims, norm, width)
        self.second = conv(width, width, 3, padding=1, bias=bias)
        self.second_norm = _norm(dims, norm, width)
        self.shortcut: nn.Module | None = None
        if residual:
            self.shortcut = nn.Identity() if channels == width else conv(channels, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, *space) → (N, width, *space)."""
        y = F.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(y))
        if self.shortcut is not None:
            past = self.shortcut(x)
            y = y.add_(past) if y.dtype == past.dtype else y + past
        return F.relu(y, inplace=True)


class Upsample(nn.Module):
    """Twice the space: (N, channels, *space) → (N, ``width``, *2·space).

    ``nearest`` and ``linear`` have no weights and keep the channels; ``transposed`` learns, and gives ``finer``.
    """

    def __init__(self, dims: int, channels: int, finer: int, kind: Upsampling) -> None:
        super().__init__()
        self.width = finer if kind == "transposed" else channels
        self.learnt: nn.Module | None = None
        if kind == "transposed":
            self.learnt = (nn.ConvTranspose2d if dims == 2 else nn.ConvTranspose3d)(channels, finer, 2, 2)
        self._linear = {2: "bilinear", 3: "trilinear"}[dims] if kind == "linear" else None

    def forward(self, x: Tensor) -> Tensor:
        """Double every side of ``x``."""
        if self.learnt is not None:
            raised: Tensor = self.learnt(x)
            return raised
        if self._linear is not None:
            return F.interpolate(x, scale_factor=2.0, mode=self._linear, align_corners=False)
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


def space_to_depth(x: Tensor, factor: int) -> Tensor:
    """(N, C, *space) → (N, C · factor^dims, *space / factor): each block of voxels becomes channels of one."""
    if factor == 1:
        return x
    count, channels, *space = x.shape
    dims = len(space)
    blocks = x.reshape(count, channels, *(part for side in space for part in (side // factor, factor)))
    order = (0, 1, *range(3, 3 + 2 * dims, 2), *range(2, 2 + 2 * dims, 2))
    folded = blocks.permute(order).reshape(count, channels * factor**dims, *(side // factor for side in space))
    return folded.contiguous(memory_format=_last(dims))


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """Undo ``space_to_depth``: (N, C · factor^dims, *space) → (N, C, *space · factor)."""
    if factor == 1:
        return x
    count, channels, *space = x.shape
    dims = len(space)
    kept = channels // factor**dims
    blocks = x.reshape(count, kept, *[factor] * dims, *space)
    order = (0, 1, *(axis for n in range(dims) for axis in (2 + dims + n, 2 + n)))
    return blocks.permute(order).reshape(count, kept, *(side * factor for side in space))


def _last(dims: int) -> torch.memory_format:
    return torch.channels_last if dims == 2 else torch.channels_last_3d


def convolution(dims: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    """The convolution of that many dimensions."""
    return nn.Conv2d if dims == 2 else nn.Conv3d


def he_initialise(network: nn.Module) -> None:
    """He's start (arXiv 1502.01852): without norms, torch's own lets the signal fade from layer to layer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d) and module.kernel_size[0] > 1:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _norm(dims: int, kind: Norm, width: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    if kind == "batch":
        return nn.BatchNorm2d(width) if dims == 2 else nn.BatchNorm3d(width)
    return nn.InstanceNorm2d(width, affine=True) if dims == 2 else nn.InstanceNorm3d(width, affine=True)
