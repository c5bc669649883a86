from __future__ import annotations

import math

import pytest
import torch

from bratsseg.training.loss import LossConfig, hard_dice, region_loss, supervised_loss

DICE = LossConfig(dice=1, cross_entropy=0, smooth=1.0)
ENTROPY = LossConfig(dice=0, cross_entropy=1)


def test_dice_equals_a_hand_computation() -> None:
    # p = (.5, .5, .75, .75), t = (1, 0, 1, 0): overlap 1.25, sums 2.5 and 2.
    logits = torch.tensor([[[[0.0, 0.0], [math.log(3), math.log(3)]]]])
    truth = torch.tensor([[[[1, 0], [1, 0]]]])
    expected = 1 - (2 * 1.25 + 1) / (2.5 + 2 + 1)
    assert float(region_loss(logits, truth, DICE.model_copy(update={"regions": (1.0,)}))) == pytest.approx(expected)


def test_cross_entropy_equals_a_hand_computation() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]]]])
    truth = torch.tensor([[[[1, 0]]]])
    expected = -(math.log(0.5) + math.log(0.25)) / 2
    assert float(region_loss(logits, truth, ENTROPY.model_copy(update={"regions": (1.0,)}))) == pytest.approx(expected)


def test_gradient_equals_finite_differences() -> None:
    logits = torch.randn(2, 3, 4, 4, dtype=torch.float32, requires_grad=True)
    truth = (torch.rand(2, 3, 4, 4) > 0.6).to(torch.uint8)
    config = LossConfig(regions=(1.0, 2.0, 0.5))
    region_loss(logits, truth, config).backward()
    step = 1e-2
    for place in [(0, 0, 1, 2), (1, 2, 3, 3)]:
        up, down = logits.detach().clone(), logits.detach().clone()
        up[place] += step
        down[place] -= step
        slope = (region_loss(up, truth, config) - region_loss(down, truth, config)) / (2 * step)
        assert logits.grad is not None
        assert float(logits.grad[place]) == pytest.approx(float(slope), rel=0.05, abs=1e-5)


def test_nothing_there_and_nothing_said_costs_nothing() -> None:
    truth = torch.zeros(2, 3, 8, 8)
    assert float(region_loss(torch.full((2, 3, 8, 8), -40.0), truth, LossConfig())) == pytest.approx(0, abs=1e-6)
    assert float(region_loss(torch.full((2, 3, 8, 8), 5.0), truth, DICE)) > 0.9


def test_perfect_answer_costs_nothing() -> None:
    truth = (torch.rand(2, 3, 8, 8) > 0.5).float()
    assert float(region_loss((truth - 0.5) * 80, truth, LossConfig())) == pytest.approx(0, abs=1e-6)


def test_deep_supervision_of_one_level_is_the_loss() -> None:
    logits, truth = torch.randn(2, 3, 8, 8), (torch.rand(2, 3, 8, 8) > 0.5).to(torch.uint8)
    config = LossConfig()
    assert torch.equal(supervised_loss([logits], truth, config), region_loss(logits, truth, config))
    two = supervised_loss([logits, logits[..., ::2, ::2]], truth, config)
    assert two.isfinite()


def test_hard_dice_states_the_empty_cases() -> None:
    full, empty = torch.ones(2, 2, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.bool)
    half = torch.tensor([[True, False], [True, False]])
    predicted, truth = torch.stack([empty, full, half]), torch.stack([empty, empty, full])
    assert hard_dice(predicted, truth).tolist() == pytest.approx([1.0, 0.0, 2 / 3])
