from __future__ import annotations

import copy

import torch
from torch import nn

from bratsseg.training.average import AverageWeights


def moved(network: nn.Module, amount: float) -> nn.Module:
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(amount if value.is_floating_point() else 1)
    return network


def made() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_the_average_follows_weights_and_running_statistics() -> None:
    network = made()
    start = copy.deepcopy(network.state_dict())
    average = AverageWeights(network, 0.9)
    average.update(moved(network, 1.0), 1000)
    for name, value in average.state_dict().items():
        expected = start[name] + (0.1 if value.is_floating_point() else 1)
        torch.testing.assert_close(value, expected.to(value.dtype))


def test_early_steps_average_over_fewer() -> None:
    network = made()
    start = copy.deepcopy(network.state_dict()["0.weight"])
    average = AverageWeights(network, 0.999)
    average.update(moved(network, 1.0), 1)
    torch.testing.assert_close(average.state_dict()["0.weight"], start + 9 / 11)


def test_it_never_trains_and_is_not_the_network() -> None:
    network = made().train()
    average = AverageWeights(network, 0.9)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    before = copy.deepcopy(average.state_dict())
    moved(network, 1.0)
    assert all(torch.equal(before[name], value) for name, value in average.state_dict().items())


def test_a_resumed_average_ends_bit_equal() -> None:
    network = made()
    whole, first = AverageWeights(network, 0.99), AverageWeights(network, 0.99)
    for step in (1, 2):
        moved(network, 0.3)
        whole.update(network, step)
        first.update(network, step)
    second = AverageWeights(made(), 0.99)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    moved(network, 0.3)
    whole.update(network, 3)
    second.update(network, 3)
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in whole.state_dict().items())
