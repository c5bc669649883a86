"""The U-Net, in two and three dimensions (Ronneberger et al., arXiv 1505.04597)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.network.blocks import Block, Norm, NormOver, Upsample, Upsampling, convolution, he_initialise


class UNetConfig(Config):
    """Shape of a U-Net; every side of its input must be a multiple of ``2 ** (len(widths) - 1)``."""

    name: Literal["unet"] = "unet"
    """Tells this network from the others in a config."""
    dims: Literal[2, 3] = 2
    """2 for pictures and slabs, 3 for volumes."""
    in_channels: int = Field(default=20, ge=1)
    """Channels of the input; a slab has modalities × slices."""
    out_channels: int = Field(default=3, ge=1)
    """One logit map per region or class."""
    widths: tuple[int, ...] = (16, 32, 96, 160, 256)
    """Channels of each level, finest first and the bottleneck last; multiples of 16 run fastest in bf16."""
    residual: bool = False
    """Add each block's input to its output (He et al., arXiv 1512.03385)."""
    norm: Norm = "batch"
    """After each convolution. ``batch`` in eval is a fixed scale, so one pass over a whole box equals passes over
    windows; ``instance`` takes its statistics from what it is given; ``none`` leaves biases and He's start."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of activations zeroed at the end of the contracting path in training, where Ronneberger et al. have it."""
    up: Upsampling = "nearest"
    """How a level is brought to the next finer one: repeated, interpolated, or by a learnt 2-wide convolution."""
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

    @property
    def one_pass(self) -> bool:
        """Whether one pass over a whole box gives what windows of the training size give."""
        return self.norm != "instance"

    @property
    def norm_over(self) -> NormOver:
        """What the statistics of a norm are taken over in training."""
        return "sample" if self.norm == "instance" else "batch" if self.norm == "batch" else "nothing"


MOST_ELEMENTS = 2**27
"""Of the input of a level on a GPU, 256 MB in float16: more are computed in parts, one after the other."""
HALO = 2
"""Voxels that two 3-wide convolutions see beyond a part of theirs."""


class UNet(nn.Module):
    """(N, in_channels, *space) → logits (N, out_channels, *space); a list of them with deep supervision in training."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        dims, widths = config.dims, config.widths
        self.down = nn.ModuleList(
            Block(dims, a, b, residual=config.residual, norm=config.norm)
            for a, b in zip((config.in_channels, *widths[:-1]), widths, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.upsample = nn.ModuleList(Upsample(dims, low, high, config.up) for low, high in pairs)
        self.up = nn.ModuleList(
            Block(dims, upsample.width + high, high, residual=config.residual, norm=config.norm)
            for upsample, (_, high) in zip(self.upsample, pairs, strict=True)
            if isinstance(upsample, Upsample)
        )
        heads = widths[-2::-1] if config.deep_supervision else widths[:1]
        self.heads = nn.ModuleList(convolution(dims)(width, config.out_channels, 1) for width in heads)
        self._pool = F.max_pool2d if dims == 2 else F.max_pool3d
        if config.norm == "none":
            he_initialise(self)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits; a side that is no multiple of ``config.multiple`` is a ValueError."""
        if any(side % self.config.multiple for side in x.shape[2:]):
            raise ValueError(f"sides must be multiples of {self.config.multiple}, were {tuple(x.shape[2:])}")
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self._pool(x, 2))
            skips.append(x)
        skips.pop()
        x = F.dropout(x, self.config.dropout, self.training)
        levels = []
        for upsample, block in zip(self.upsample, self.up, strict=True):
            if (parts := self._parts(x, skips[-1], upsample)) > 1:
                x = _in_parts(upsample, block, x, skips.pop(), parts)
            else:
                x = block(torch.cat([upsample(x), skips.pop()], 1))
            levels.append(x)
        if self.config.deep_supervision and self.training:
            return [head(level) for head, level in zip(self.heads, levels, strict=True)][::-1]
        result: Tensor = self.heads[-1](x)
        return result

    def _parts(self, low: Tensor, skip: Tensor, upsample: nn.Module) -> int:
        """In how many parts a level is computed, so that its widest input stays small on a GPU.

        An instance norm needs the level whole, and what interpolates sees more of the coarser level than a part has.
        """
        whole = self.training or not self.config.one_pass or self.config.up == "linear" or not skip.is_cuda
        if whole or not isinstance(upsample, Upsample):
            return 1
        elements = (upsample.width + skip.shape[1]) * skip[:, 0].numel()
        return min(-(-elements // MOST_ELEMENTS), low.shape[2])


def _in_parts(upsample: nn.Module, block: nn.Module, low: Tensor, skip: Tensor, parts: int) -> Tensor:
    """``block(cat(upsample(low), skip))`` in ``parts`` along the first axis of space, each with what it sees beyond it.

    ``low`` (N, C, A, …) is half as fine as ``skip`` (N, D, 2 A, …), and ``upsample`` repeats or learns, voxel by voxel.
    Beyond the ends the convolutions pad with zeros, as they do over the whole.
    """
    size, found = low.shape[2], None
    for part in range(parts):
        start, stop = part * size // parts, (part + 1) * size // parts
        first, last = max(0, start - HALO // 2), min(size, stop + HALO // 2)
        inputs = [upsample(low[:, :, first:last]), skip[:, :, 2 * first : 2 * last]]
        made = block(torch.cat(inputs, 1))
        if found is None:
            shape, kind = (*made.shape[:2], *skip.shape[2:]), {"dtype": made.dtype, "device": made.device}
            found = torch.empty(shape, memory_format=_order_of(made), **kind)
        found[:, :, 2 * start : 2 * stop] = made.narrow(2, 2 * (start - first), 2 * (stop - start))
    assert found is not None  # there is a part at least
    return found


def _order_of(x: Tensor) -> torch.memory_format:
    """How ``x`` (N, C, *space) lies in memory, channels first where that cannot be told."""
    last = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    return last if x.is_contiguous(memory_format=last) else torch.contiguous_format
