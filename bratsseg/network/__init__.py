"""Networks: tensors → logits. No files, no cases."""

from __future__ import annotations

from torch import nn

from bratsseg.network.unet import UNet, UNetConfig

NetworkConfig = UNetConfig
"""The configs of all networks; a discriminated union on ``name`` once there is more than one."""


def build_network(config: NetworkConfig) -> nn.Module:
    """The network that ``config`` describes, with random weights."""
    return UNet(config)


__all__ = ["NetworkConfig", "UNet", "UNetConfig", "build_network"]
