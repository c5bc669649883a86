"""Networks: tensors → logits, each made from a config that names it. No cases.

Every config has ``dims``, ``in_channels``, ``out_channels``, ``multiple`` (what every side of the input must be a
multiple of) and ``one_pass`` (whether one pass over a whole box gives what windows of the training size give).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from bratsseg.network.monai import SegResNetConfig, SwinUNETRConfig, build_segresnet, build_swin_unetr
from bratsseg.network.threshold import Threshold, ThresholdConfig
from bratsseg.network.unet import UNet, UNetConfig
from bratsseg.network.vgg_unet import VGGUNet, VGGUNetConfig, load_encoder

AnyNetworkConfig = UNetConfig | VGGUNetConfig | SegResNetConfig | SwinUNETRConfig | ThresholdConfig
NetworkConfig = Annotated[AnyNetworkConfig, Field(discriminator="name")]
"""The configs of all networks, told apart by ``name``."""

_ENCODERS = {
    "UNet": ("down.",),
    "VGGUNet": ("features.",),
    "SegResNet": ("convInit.", "down_layers."),
    "SwinUNETR": ("swinViT.", "encoder"),
}
"""How the names of an encoder's parameters begin, by the network's class."""


def build_network(config: AnyNetworkConfig) -> nn.Module:
    """The network that ``config`` describes, with random weights."""
    match config:
        case UNetConfig():
            return UNet(config)
        case VGGUNetConfig():
            return VGGUNet(config)
        case SegResNetConfig():
            return build_segresnet(config)
        case SwinUNETRConfig():
            return build_swin_unetr(config)
        case ThresholdConfig():
            return Threshold(config)


def encoder_parameters(network: nn.Module) -> list[nn.Parameter]:
    """The parameters of the contracting half, for a learning rate of their own; none where there is no such half."""
    prefixes = _ENCODERS.get(type(network).__name__, ())
    return (
        [parameter for name, parameter in network.named_parameters() if name.startswith(prefixes)] if prefixes else []
    )


def load_pretrained(network: nn.Module) -> str | None:
    """Fill what the config says starts from other weights; a line for the log, or None where nothing is asked for.

    Only a fresh training run calls this: a released model and a resumed run bring all their weights. ``ModelError``
    when the file cannot be read or does not fit.
    """
    return load_encoder(network) if isinstance(network, VGGUNet) else None


__all__ = [
    "AnyNetworkConfig",
    "NetworkConfig",
    "SegResNetConfig",
    "SwinUNETRConfig",
    "Threshold",
    "ThresholdConfig",
    "UNet",
    "UNetConfig",
    "VGGUNet",
    "VGGUNetConfig",
    "build_network",
    "encoder_parameters",
    "load_pretrained",
]
