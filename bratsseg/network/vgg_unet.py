"""A U-Net whose encoder is VGG16, to start from ImageNet (TernausNet, Iglovikov & Shvets, arXiv 1801.05746).

The encoder is torchvision's ``vgg16().features`` layer by layer (Simonyan & Zisserman, arXiv 1409.1556), under the same
names. Its first two convolutions run at full resolution, and their output is the finest skip.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bratsseg.config import Config
from bratsseg.errors import ModelError
from bratsseg.network.blocks import Block, NormOver, Upsample, Upsampling

VGG16_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Widths of VGG16's thirteen convolutions; a 2-wide maximum follows each stage."""


class VGGUNetConfig(Config):
    """Shape of the VGG16 U-Net; every side of its input must be a multiple of 16."""

    name: Literal["vgg_unet"] = "vgg_unet"
    """Tells this network from the others in a config."""
    in_channels: int = Field(default=3, ge=1)
    """Channels of the input; 3 where ImageNet's weights are given."""
    out_channels: int = Field(default=1, ge=1)
    """One logit map per region or class."""
    decoder_widths: tuple[int, int, int, int] = (256, 128, 64, 32)
    """Channels of the decoder's levels, coarsest first; the decoder has batch norm."""
    encoder_widths: tuple[int, int, int, int, int] = (64, 128, 256, 512, 512)
    """Channels of the encoder's stages; VGG16's, unless a small one is wanted for a trial."""
    up: Upsampling = "transposed"
    """How a level is brought to the next finer one."""
    batch_norm: bool = False
    """torchvision's ``vgg16_bn``: batch norm after each of the encoder's convolutions."""
    weights: Path | None = None
    """torchvision's state dict (.pth, or .safetensors) to start the encoder from; see ``load_encoder``."""

    @model_validator(mode="after")
    def _weights_fit(self) -> VGGUNetConfig:
        vgg16 = tuple(stage[0] for stage in VGG16_STAGES)
        if self.weights is not None and (self.in_channels != 3 or self.encoder_widths != vgg16):
            raise ValueError("weights of VGG16 need in_channels 3 and its own encoder_widths")
        return self

    @property
    def dims(self) -> int:
        """Pictures and slabs only."""
        return 2

    @property
    def multiple(self) -> int:
        """What every side of the input must be a multiple of."""
        return 16

    @property
    def one_pass(self) -> bool:
        """Batch norm or none at all: one pass over a whole picture is what windows give."""
        return True

    @property
    def norm_over(self) -> NormOver:
        """What the statistics of a norm are taken over at the coarsest level, which is the encoder's."""
        return "batch" if self.batch_norm else "nothing"


class VGGUNet(nn.Module):
    """(N, in_channels, A, B) → logits (N, out_channels, A, B)."""

    def __init__(self, config: VGGUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.features = vgg16_features(config)
        low, upsamples, blocks = config.encoder_widths[-1], [], []
        for width, skip in zip(config.decoder_widths, config.encoder_widths[-2::-1], strict=True):
            upsamples.append(Upsample(2, low, width, config.up))
            blocks.append(Block(2, upsamples[-1].width + skip, width))
            low = width
        self.upsample, self.up = nn.ModuleList(upsamples), nn.ModuleList(blocks)
        self.head = nn.Conv2d(low, config.out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits; a side that is no multiple of 16 is a ValueError."""
        if any(side % self.config.multiple for side in x.shape[2:]):
            raise ValueError(f"sides must be multiples of {self.config.multiple}, were {tuple(x.shape[2:])}")
        skips = []
        for layer in list(self.features)[:-1]:  # the last maximum leads to VGG's classifier only
            if isinstance(layer, nn.MaxPool2d):
                skips.append(x)
            x = layer(x)
        for upsample, block in zip(self.upsample, self.up, strict=True):
            x = block(torch.cat([upsample(x), skips.pop()], 1))
        result: Tensor = self.head(x)
        return result


def vgg16_features(config: VGGUNetConfig) -> nn.Sequential:
    """torchvision's ``vgg16().features`` (or ``vgg16_bn``'s), with its numbering; He's start."""
    layers: list[nn.Module] = []
    channels = config.in_channels
    for width, stage in zip(config.encoder_widths, VGG16_STAGES, strict=True):
        for _ in stage:
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            if config.batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def load_encoder(network: VGGUNet) -> str:
    """Fill the encoder from ``config.weights``; one line for the log that says what it starts from.

    The file is torchvision's state dict of ``vgg16`` or ``vgg16_bn``; its ``classifier.*`` is left aside.
    ``ModelError`` when it cannot be read without running code from it, or does not fit strictly.
    """
    path = network.config.weights
    if path is None:
        return (
            "vgg_unet: the encoder starts from random weights, as network.weights names no file; "
            "give torchvision's vgg16 state dict there to start from ImageNet"
        )
    state = {name.removeprefix("features."): v for name, v in _read(path).items() if name.startswith("features.")}
    try:
        network.features.load_state_dict(state)
    except RuntimeError as error:
        kind = "vgg16_bn" if network.config.batch_norm else "vgg16"
        raise ModelError(f"weights {path}: must be torchvision's {kind} state dict; {error}") from error
    return f"vgg_unet: the encoder starts from {path}"


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ModelError(f"weights {path}: must be a readable state dict (.pth or .safetensors); {error}") from error
    if not isinstance(state, dict):
        raise ModelError(f"weights {path}: must hold a state dict, was {type(state).__name__}")
    return state
