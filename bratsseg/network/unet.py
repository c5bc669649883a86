"""The U-Net, in two and three dimensions (Ronneberger et al., arXiv 1505.04597)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.network.blocks import (
    Block,
    Norm,
    NormOver,
    Upsample,
    Upsampling,
    convolution,
    depth_to_space,
    he_initialise,
    space_to_depth,
)


class UNetConfig(Config):
    """Shape of a U-Net; every side of its input must be a multiple of ``multiple``."""

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
    space_to_depth: int = Field(default=1, ge=1)
    """Blocks of so many voxels along each axis become channels before the first level, and the finest logits are taken
    apart again (sub-pixel convolution, Shi et al., arXiv 1609.05158). With 2 the finest level has an eighth of the
    voxels in three dimensions: several times faster, at the output's full resolution."""
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
        return self.space_to_depth * int(2 ** (len(self.widths) - 1))

    @property
    def one_pass(self) -> bool:
        """Whether one pass over a whole box gives what windows of the training size give."""
        return self.norm != "instance"

    @property
    def norm_over(self) -> NormOver:
        """What the statistics of a norm are taken over in training."""
        return "sample" if self.norm == "instance" else "batch" if self.norm == "batch" else "nothing"


MOST_ELEMENTS = 2**27
"""Of what a level has at once on a GPU, 256 MB in float16: more are computed in parts, one after the other."""
HALO = 2
"""Voxels that two 3-wide convolutions see beyond a part of theirs."""


class UNet(nn.Module):
    """(N, in_channels, *space) → logits (N, out_channels, *space); a list of them with deep supervision in training."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        dims, widths = config.dims, config.widths
        folded = config.space_to_depth**dims
        self.down = nn.ModuleList(
            Block(dims, a, b, residual=config.residual, norm=config.norm)
            for a, b in zip((config.in_channels * folded, *widths[:-1]), widths, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.upsample = nn.ModuleList(Upsample(dims, low, high, config.up) for low, high in pairs)
        self.up = nn.ModuleList(
            Block(dims, upsample.width + high, high, residual=config.residual, norm=config.norm)
            for upsample, (_, high) in zip(self.upsample, pairs, strict=True)
            if isinstance(upsample, Upsample)
        )
        coarse = widths[-2:0:-1] if config.deep_supervision else ()
        heads = [(width, config.out_channels) for width in coarse] + [(widths[0], config.out_channels * folded)]
        self.heads = nn.ModuleList(convolution(dims)(width, channels, 1) for width, channels in heads)
        self._pool = F.max_pool2d if dims == 2 else F.max_pool3d
        if config.norm == "none":
            he_initialise(self)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Logits; a side that is no multiple of ``config.multiple`` is a ValueError."""
        if any(side % self.config.multiple for side in x.shape[2:]):
            raise ValueError(f"sides must be multiples of {self.config.multiple}, were {tuple(x.shape[2:])}")
        factor, skips = self.config.space_to_depth, []
        x = space_to_depth(x, factor)
        for level, block in enumerate(self.down):
            x = x if level == 0 else self._pool(x, 2)
            x = _contracted(block, x, self._parts(x, 2 * self.config.widths[level]))
            skips.append(x)
        skips.pop()
        x = F.dropout(x, self.config.dropout, self.training)
        levels = []
        for upsample, block in zip(self.upsample, self.up, strict=True):
            skip = skips.pop()
            width = upsample.width if isinstance(upsample, Upsample) else 0
            parts = self._parts(skip, width + skip.shape[1], up=True)
            x = _expanded(block, upsample, x, skip, parts)
            levels.append(x)
        if self.config.deep_supervision and self.training:
            *coarse, finest = [head(level) for head, level in zip(self.heads, levels, strict=True)]
            return [depth_to_space(finest, factor), *coarse[::-1]]
        return depth_to_space(self.heads[-1](x), factor)

    def _parts(self, like: Tensor, channels: int, up: bool = False) -> int:
        """In how many parts a level of ``channels`` at once is computed, so that it takes little memory on a GPU.

        An instance norm needs the level whole, and what interpolates sees more of the coarser level than a part has.
        """
        whole = self.training or not self.config.one_pass or (up and self.config.up == "linear") or not like.is_cuda
        return 1 if whole else -(-channels * like[:, 0].numel() // MOST_ELEMENTS)


def _contracted(block: nn.Module, x: Tensor, parts: int) -> Tensor:
    """``block(x)`` in so many parts."""
    return block(x) if parts == 1 else _in_parts(block, lambda first, last: x[:, :, first:last], x.shape[2], parts)


def _expanded(block: nn.Module, upsample: nn.Module, low: Tensor, skip: Tensor, parts: int) -> Tensor:
    """``block`` of ``low`` (N, C, A, …), made twice as fine, and ``skip`` (N, D, 2 A, …), in so many parts."""

    def joined(first: int, last: int) -> Tensor:
        return torch.cat([upsample(low[:, :, first:last]), skip[:, :, 2 * first : 2 * last]], 1)

    size = low.shape[2]
    return block(joined(0, size)) if parts == 1 else _in_parts(block, joined, size, parts, 2)


def _in_parts(block: nn.Module, inputs: Callable[[int, int], Tensor], size: int, parts: int, step: int = 1) -> Tensor:
    """``block(inputs(0, size))`` in ``parts`` along the first axis of space, each with what it sees beyond its ends.

    ``inputs`` gives ``step`` voxels for each of ``size`` positions. Beyond the last ones the convolutions pad with
    zeros, as they do over the whole.
    """
    found: Tensor | None = None
    beyond, parts = -(-HALO // step), min(parts, size)
    for part in range(parts):
        start, stop = part * size // parts, (part + 1) * size // parts
        first, last = max(0, start - beyond), min(size, stop + beyond)
        made = block(inputs(first, last))
        if found is None:
            shape, kind = (*made.shape[:2], step * size, *made.shape[3:]), {"dtype": made.dtype, "device": made.device}
            found = torch.empty(shape, memory_format=_order_of(made), **kind)
        found[:, :, step * start : step * stop] = made.narrow(2, step * (start - first), step * (stop - start))
    assert found is not None  # there is a part at least
    return found


def _order_of(x: Tensor) -> torch.memory_format:
    """How ``x`` (N, C, *space) lies in memory, channels first where that cannot be told."""
    last = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    return last if x.is_contiguous(memory_format=last) else torch.contiguous_format
