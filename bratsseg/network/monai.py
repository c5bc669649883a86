"""MONAI's SegResNet and SwinUNETR, bare: our configs of them, their own classes and state-dict names.

MONAI takes seconds to import and is absent on some GPU machines, so it is imported when one of these is built.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from bratsseg.config import Config
from bratsseg.errors import ModelError
from bratsseg.network.blocks import NormOver

_GROUPS = 8


class SegResNetConfig(Config):
    """SegResNet (Myronenko, arXiv 1810.11654), without its auto-encoder; the defaults are MONAI's BraTS bundle's."""

    name: Literal["segresnet"] = "segresnet"
    """Tells this network from the others in a config."""
    dims: Literal[2, 3] = 3
    """2 for pictures and slabs, 3 for volumes."""
    in_channels: int = Field(default=4, ge=1)
    """Channels of the input."""
    out_channels: int = Field(default=3, ge=1)
    """One logit map per region or class."""
    init_filters: int = Field(default=16, ge=1)
    """Channels of the finest level; each coarser level has twice as many."""
    blocks_down: tuple[int, ...] = (1, 2, 2, 4)
    """Residual blocks of each encoder level, finest first."""
    blocks_up: tuple[int, ...] = (1, 1, 1)
    """Residual blocks of each decoder level, coarsest first."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of channels zeroed after the first convolution in training."""
    norm: Literal["group", "batch"] = "group"
    """Group norm (8 groups) takes its statistics from what it is given; batch norm allows one pass over a whole box."""

    @model_validator(mode="after")
    def _levels_agree(self) -> SegResNetConfig:
        if len(self.blocks_up) != len(self.blocks_down) - 1:
            raise ValueError("blocks_up must name one level less than blocks_down")
        if self.norm == "group" and self.init_filters % _GROUPS:
            raise ValueError(f"init_filters must be a multiple of {_GROUPS} for group norm")
        return self

    @property
    def multiple(self) -> int:
        """What every side of the input must be a multiple of."""
        return int(2 ** len(self.blocks_up))

    @property
    def one_pass(self) -> bool:
        """Whether one pass over a whole box gives what windows of the training size give."""
        return self.norm == "batch"

    @property
    def norm_over(self) -> NormOver:
        """What the statistics of a norm are taken over in training; a group norm has the voxels of several channels."""
        return "batch" if self.norm == "batch" else "nothing"


class SwinUNETRConfig(Config):
    """SwinUNETR (Hatamizadeh et al., arXiv 2201.01266); its windows in training need sides of 64 or more."""

    name: Literal["swin_unetr"] = "swin_unetr"
    """Tells this network from the others in a config."""
    dims: Literal[2, 3] = 3
    """2 for pictures and slabs, 3 for volumes."""
    in_channels: int = Field(default=4, ge=1)
    """Channels of the input."""
    out_channels: int = Field(default=3, ge=1)
    """One logit map per region or class."""
    feature_size: int = Field(default=48, ge=12, multiple_of=12)
    """Channels of the finest level."""
    depths: tuple[int, int, int, int] = (2, 2, 2, 2)
    """Transformer blocks of each stage."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of activations zeroed in the transformer's linear layers in training."""
    path_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of residual branches skipped in training (stochastic depth)."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""

    @property
    def multiple(self) -> int:
        """What every side of the input must be a multiple of."""
        return 32

    @property
    def one_pass(self) -> bool:
        """Instance and layer norm, and attention in shifted windows: passes over windows of the training size only."""
        return False

    @property
    def norm_over(self) -> NormOver:
        """What the statistics of a norm are taken over in training."""
        return "sample"


def build_segresnet(config: SegResNetConfig) -> nn.Module:
    """MONAI's SegResNet with random weights; ``ModelError`` where MONAI is absent."""
    try:
        from monai.networks.nets.segresnet import SegResNet  # noqa: PLC0415
    except ImportError as error:
        raise _absent(config.name) from error

    network: nn.Module = SegResNet(
        spatial_dims=config.dims,
        init_filters=config.init_filters,
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        dropout_prob=config.dropout or None,
        norm=("GROUP", {"num_groups": _GROUPS}) if config.norm == "group" else "BATCH",
        blocks_down=config.blocks_down,
        blocks_up=config.blocks_up,
    )
    return network


def build_swin_unetr(config: SwinUNETRConfig) -> nn.Module:
    """MONAI's SwinUNETR with random weights; ``ModelError`` where MONAI or einops is absent."""
    try:
        import einops as _  # noqa: F401, PLC0415  (MONAI would miss it in the middle of a run only)
        from monai.networks.nets.swin_unetr import SwinUNETR  # noqa: PLC0415
    except ImportError as error:
        raise _absent(config.name) from error

    device = torch.get_default_device()
    with torch.device("cpu"):  # it reads numbers off tensors while being built, and on the meta device there are none
        network: nn.Module = SwinUNETR(
            in_channels=config.in_channels,
            out_channels=config.out_channels,
            depths=config.depths,
            feature_size=config.feature_size,
            drop_rate=config.dropout,
            dropout_path_rate=config.path_dropout,
            use_checkpoint=config.checkpointing,
            spatial_dims=config.dims,
        )
    return network.to(device)


def _absent(name: str) -> ModelError:
    return ModelError(
        f"network {name}: needs MONAI and einops, and one is not installed here; pip install monai einops"
    )
