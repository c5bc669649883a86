"""The U-Net, in two and three dimensions (Ronneberger et al., arXiv 1505.04597)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from bratsseg.config import Config


class UNetConfig(Config):
    """Shape of a U-Net; every side of its input must be a multiple of ``2 ** (len(widths) - 1)``."""

    name: Literal["unet"] = "unet"
    """Tells this network from the others in a config."""
    dims: Literal[2, 3] = 2
    """2 for pictures and slabs, 3 for volumes."""
    in_channels: int = Field(default=20, ge=1)
    """Channels of the input; a slab has modalities × slices."""
    out_channels: int = Field(default=3, ge=1)
    """One logit map per region."""
    widths: tuple[int, ...] = (16, 32, 96, 160, 256)
    """Channels of each level, finest first; multiples of 16 run fastest in bf16."""
    residual: bool = False
    """Add each block's input to its output (He et al., arXiv 1512.03385)."""
    norm: Literal["batch"] = "batch"
    """Batch norm: in eval it is a fixed scale, so one pass over a whole box equals passes over windows."""
    deep_supervision: bool = False
    """In training mode return logits of every decoder level, finest first."""

    @model_validator(mode="after")
    def _has_levels(self) -> UNetConfig:
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError("widths must name at least two levels of at least one channel")
        return self

    @property
    def multiple(self) -> int:
        """What every side of the input must be a multiple of."""
        return int(2 ** (len(self.widths) - 1))


class Block(nn.Module):
    """Two 3-wide convolutions, each followed by batch norm and ReLU; keeps (N, C, *space)' space."""

    def __init__(self, dims: int, channels: int, width: int, *, residual: bool) -> None:
        super().__init__()
        conv, norm = _layers(dims)
        self.first = conv(channels, width, 3, padding=1, bias=False)
        self.first_norm = norm(width)
        self.second = conv(width, width, 3, padding=1, bias=False)
        self.second_norm = norm(width)
        self.shortcut: nn.Module | None = None
        if residual:
            self.shortcut = nn.Identity() if channels == width else conv(channels, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, *space) → (N, width, *space)."""
        y = F.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return F.relu(y, inplace=True)


class UNet(nn.Module):
    """(N, in_channels, *space) → logits (N, out_channels, *space); a list of them with deep supervision in training."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        conv, _ = _layers(config.dims)
        widths = config.widths
        sources = (config.in_channels, *widths[:-1])
        self.down = nn.ModuleList(
            Block(config.dims, a, b, residual=config.residual) for a, b in zip(sources, widths, strict=True)
        )
        self.up = nn.ModuleList(
            Block(config.dims, low + high, high, residual=config.residual)
            for low, high in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        heads = widths[-2::-1] if config.deep_supervision else widths[:1]
        self.heads = nn.ModuleList(conv(width, config.out_channels, 1) for width in heads)
        self._pool = F.max_pool2d if config.dims == 2 else F.max_pool3d

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits; a side that is no multiple of ``config.multiple`` is a ValueError."""
        if any(side % self.config.multiple for side in x.shape[2:]):
            raise ValueError(f"sides must be multiples of {self.config.multiple}, were {tuple(x.shape[2:])}")
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self._pool(x, 2))
            skips.append(x)
        skips.pop()
        levels = []
        for block in self.up:
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skips.pop()], 1))
            levels.append(x)
        if self.config.deep_supervision and self.training:
            return [head(level) for head, level in zip(self.heads, levels, strict=True)][::-1]
        result: Tensor = self.heads[-1](x)
        return result


def _layers(dims: int) -> tuple[type[nn.Module], type[nn.Module]]:
    return (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
