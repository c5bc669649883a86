"""Optimisers: Adam, AdamW and SGD, with a learning rate of its own for a pretrained encoder."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from bratsseg.config import Config
from bratsseg.network import encoder_parameters


class OptimiserConfig(Config):
    """Which optimiser takes the steps, and how large they are."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    """Adam (Kingma & Ba, arXiv 1412.6980), AdamW (Loshchilov & Hutter, arXiv 1711.05101), or SGD with momentum."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak learning rate."""
    encoder_learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate of the encoder, such as a tenth for a pretrained one; None: the same as the rest."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled in AdamW, added to the gradient in Adam and SGD; norms and biases do not decay."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of SGD; nnU-Net takes .99."""
    nesterov: bool = True
    """Nesterov's momentum in SGD (Sutskever et al., ICML 2013)."""
    clip_norm: float = Field(default=5.0, ge=0)
    """Largest gradient norm; 0 turns clipping off."""

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> OptimiserConfig:
        if self.name == "sgd" and self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


def build_optimiser(network: nn.Module, config: OptimiserConfig, *, fused: bool = False) -> torch.optim.Optimizer:
    """The optimiser of ``network``'s trainable parameters; each group has ``initial_lr``, its peak.

    At most four groups, always in this order: encoder, encoder without decay, rest, rest without decay. ``fused`` takes
    a step in one pass over all weights, where torch can do that on their device; Lightning's own clipping refuses it.
    """
    groups = _groups(network, config)
    if fused:
        with suppress(RuntimeError):
            return _built(groups, config, fused=True)
    return _built(groups, config)


def _built(groups: list[dict[str, Any]], config: OptimiserConfig, fused: bool | None = None) -> torch.optim.Optimizer:
    if config.name == "sgd":
        return torch.optim.SGD(
            groups, config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, fused=fused
        )
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(groups, config.learning_rate, fused=fused)


def _groups(network: nn.Module, config: OptimiserConfig) -> list[dict[str, Any]]:
    rates = [config.encoder_learning_rate or config.learning_rate, config.learning_rate]
    encoder = set() if config.encoder_learning_rate is None else {id(p) for p in encoder_parameters(network)}
    members: dict[tuple[int, bool], list[nn.Parameter]] = {
        (part, decays): [] for part in (0, 1) for decays in (True, False)
    }
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            members[int(id(parameter) not in encoder), _decays(name, parameter)].append(parameter)
    return [
        {
            "params": parameters,
            "lr": rates[part],
            "initial_lr": rates[part],
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (part, decays), parameters in members.items()
        if parameters
    ]


def _decays(name: str, parameter: nn.Parameter) -> bool:
    """Norms and biases have one dimension; Swin's table of position biases has two, and does not decay either."""
    return parameter.ndim > 1 and "bias" not in name.rpartition(".")[2]
