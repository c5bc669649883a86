"""Networks: tensors → logits, each made from a config that names it. No files, no cases."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from bratsseg.network.threshold import Threshold, ThresholdConfig
from bratsseg.network.unet import UNet, UNetConfig

NetworkConfig = Annotated[UNetConfig | ThresholdConfig, Field(discriminator="name")]
"""The configs of all networks, told apart by ``name``."""


def build_network(config: UNetConfig | ThresholdConfig) -> nn.Module:
    """The network that ``config`` describes, with random weights."""
    return UNet(config) if isinstance(config, UNetConfig) else Threshold(config)


__all__ = ["NetworkConfig", "Threshold", "ThresholdConfig", "UNet", "UNetConfig", "build_network"]
