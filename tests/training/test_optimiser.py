from __future__ import annotations

from typing import Literal

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from bratsseg.network import SwinUNETRConfig, UNetConfig, build_network, encoder_parameters
from bratsseg.training.optimiser import OptimiserConfig, build_optimiser

SMALL = UNetConfig(in_channels=2, out_channels=1, widths=(8, 16))


@pytest.mark.parametrize(
    ("config", "oracle"),
    [
        (OptimiserConfig(weight_decay=0), lambda p: torch.optim.AdamW(p, 2e-3, weight_decay=0)),
        (OptimiserConfig(name="adam", weight_decay=0), lambda p: torch.optim.Adam(p, 2e-3)),
        (
            OptimiserConfig(name="sgd", learning_rate=0.1, momentum=0.99, weight_decay=0),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.99, nesterov=True),
        ),
    ],
)
def test_steps_equal_torchs(config: OptimiserConfig, oracle: object) -> None:
    ours, theirs = build_network(SMALL), build_network(SMALL)
    theirs.load_state_dict(ours.state_dict())
    pictures = torch.randn(2, 2, 8, 8)
    for network, optimiser in ((ours, build_optimiser(ours, config)), (theirs, oracle(theirs.parameters()))):
        for _ in range(3):
            optimiser.zero_grad()
            network(pictures).square().mean().backward()
            optimiser.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_norms_and_biases_do_not_decay() -> None:
    network = build_network(SMALL)
    before = {name: value.clone() for name, value in network.named_parameters()}
    optimiser = build_optimiser(network, OptimiserConfig(name="adamw", learning_rate=0.1, weight_decay=0.5))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for name, value in network.named_parameters():
        torch.testing.assert_close(value, before[name] * (0.95 if value.ndim > 1 else 1.0))


def test_swins_position_biases_do_not_decay() -> None:
    with torch.device("meta"):
        network = build_network(SwinUNETRConfig(feature_size=12))
    tables = {id(p) for name, p in network.named_parameters() if name.endswith("relative_position_bias_table")}
    decayed = build_optimiser(network, OptimiserConfig()).param_groups[0]
    assert tables
    assert decayed["weight_decay"] > 0
    assert not tables & {id(p) for p in decayed["params"]}


def test_the_encoder_has_a_rate_and_each_parameter_one_step() -> None:
    """The encoder's rate is its own; every parameter is stepped once."""
    network = build_network(SMALL)
    optimiser = build_optimiser(network, OptimiserConfig(learning_rate=5e-4, encoder_learning_rate=1e-5))
    encoder = {id(p) for p in encoder_parameters(network)}
    seen = []
    for group in optimiser.param_groups:
        assert group["lr"] == group["initial_lr"]
        for parameter in group["params"]:
            assert group["lr"] == (1e-5 if id(parameter) in encoder else 5e-4)
            seen.append(id(parameter))
    assert sorted(seen) == sorted(id(p) for p in network.parameters())


def test_without_one_there_are_two_groups() -> None:
    assert len(build_optimiser(build_network(SMALL), OptimiserConfig()).param_groups) == 2


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValidationError, match="momentum above 0"):
        OptimiserConfig(name="sgd", momentum=0.0)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_a_fused_step_is_the_same_step(name: Literal["adamw", "adam", "sgd"]) -> None:
    found = []
    for fused in (False, True):
        torch.manual_seed(0)
        network = nn.Conv3d(2, 3, 3).to(memory_format=torch.channels_last_3d)
        optimiser = build_optimiser(network, OptimiserConfig(name=name), fused=fused)
        for _ in range(3):
            optimiser.zero_grad()
            network(torch.rand(2, 2, 5, 5, 5)).square().sum().backward()
            optimiser.step()
        found.append([parameter.detach() for parameter in network.parameters()])
    for plain, quick in zip(*found, strict=True):
        torch.testing.assert_close(quick, plain, rtol=1e-5, atol=1e-6)
