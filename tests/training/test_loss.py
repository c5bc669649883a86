from __future__ import annotations

import math

import pytest
import torch
from monai.losses.dice import DiceCELoss, DiceFocalLoss, DiceLoss
from monai.losses.focal_loss import FocalLoss
from pydantic import ValidationError
from torch.nn import functional as F

from bratsseg.errors import ConfigError
from bratsseg.training.loss import LossConfig, build_loss, exclusive_classes, region_loss

DICE = LossConfig(name="dice", smooth=1.0)
ENTROPY = LossConfig(name="bce")
NESTED = (
    torch.rand(2, 1, 6, 5, generator=torch.Generator().manual_seed(3)) > torch.tensor([0.3, 0.5, 0.7]).view(-1, 1, 1)
).to(torch.uint8)
"""Truth (2, 3, 6, 5) with ET ⊂ TC ⊂ WT."""
ONEHOT = F.one_hot(exclusive_classes(NESTED), 4).movedim(-1, 1).float()


def random_logits(channels: int) -> torch.Tensor:
    return 3 * torch.randn(2, channels, 6, 5, generator=torch.Generator().manual_seed(channels))


def test_dice_equals_a_hand_computation() -> None:
    # p = (.5, .5, .75, .75), t = (1, 0, 1, 0): overlap 1.25, sums 2.5 and 2.
    logits = torch.tensor([[[[0.0, 0.0], [math.log(3), math.log(3)]]]])
    truth = torch.tensor([[[[1, 0], [1, 0]]]])
    expected = 1 - (2 * 1.25 + 1) / (2.5 + 2 + 1)
    assert float(region_loss(logits, truth, DICE)) == pytest.approx(expected)


def test_cross_entropy_equals_a_hand_computation() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]]]])
    truth = torch.tensor([[[[1, 0]]]])
    expected = -(math.log(0.5) + math.log(0.25)) / 2
    assert float(region_loss(logits, truth, ENTROPY)) == pytest.approx(expected)


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
    loss = build_loss(config, "regions")
    assert torch.equal(loss([logits], truth), loss(logits, truth))
    coarse, coarse_truth = logits[..., ::2, ::2], F.max_pool2d(truth.float(), 2)
    expected = (loss(logits, truth) + loss(coarse, coarse_truth) / 2) / 1.5
    torch.testing.assert_close(loss([logits, coarse], truth), expected)


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("smooth", [1.0, 20.0])
def test_dice_equals_monais(batch: bool, smooth: float) -> None:
    options = {"batch": batch, "smooth_nr": smooth, "smooth_dr": smooth}
    config = LossConfig(name="dice", batch_dice=batch, smooth=smooth, background=True)
    logits = random_logits(3)
    torch.testing.assert_close(
        build_loss(config, "regions")(logits, NESTED), DiceLoss(sigmoid=True, **options)(logits, NESTED)
    )
    logits = random_logits(4)
    torch.testing.assert_close(
        build_loss(config, "classes")(logits, NESTED), DiceLoss(softmax=True, **options)(logits, ONEHOT)
    )


@pytest.mark.parametrize("background", [True, False])
def test_dice_and_cross_entropy_of_classes_equal_monais(background: bool) -> None:
    config = LossConfig(name="dice_ce", dice=0.7, cross_entropy=1.3, smooth=1.0, background=background)
    oracle = DiceCELoss(
        softmax=True,
        batch=True,
        smooth_nr=1,
        smooth_dr=1,
        include_background=background,
        lambda_dice=0.7,
        lambda_ce=1.3,
    )
    logits = random_logits(4)
    torch.testing.assert_close(build_loss(config, "classes")(logits, NESTED), oracle(logits, ONEHOT))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 3.0])
def test_dice_and_focal_equal_monais(gamma: float) -> None:
    options = {"batch": True, "smooth_nr": 1.0, "smooth_dr": 1.0}
    config = LossConfig(name="dice_focal", smooth=1.0, gamma=gamma, cross_entropy=2.0, background=True)
    logits, truth = random_logits(3), NESTED.float()
    oracle = DiceFocalLoss(sigmoid=True, gamma=gamma, lambda_focal=2.0, **options)(logits, truth)
    torch.testing.assert_close(build_loss(config, "regions")(logits, NESTED), oracle)
    # MONAI's DiceFocalLoss takes the sigmoid for its focal part also where Dice takes the softmax.
    logits = random_logits(4)
    oracle = DiceLoss(softmax=True, **options)(logits, ONEHOT)
    oracle = oracle + 2 * FocalLoss(use_softmax=True, gamma=gamma)(logits, ONEHOT)
    torch.testing.assert_close(build_loss(config, "classes")(logits, NESTED), oracle)


def test_entropies_equal_torchs() -> None:
    logits, truth = random_logits(3), NESTED.float()
    weighted = LossConfig(name="bce", pos_weight=3.0)
    oracle = F.binary_cross_entropy_with_logits(logits, truth, pos_weight=torch.tensor(3.0))
    torch.testing.assert_close(build_loss(weighted, "regions")(logits, NESTED), oracle)
    both = build_loss(LossConfig(pos_weight=3.0, smooth=1.0, cross_entropy=0.5), "regions")(logits, NESTED)
    dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1, smooth_dr=1)(logits, truth)
    torch.testing.assert_close(both, dice + 0.5 * oracle)
    probabilities = random_logits(4).softmax(1)
    by_hand = -(probabilities.log() * ONEHOT).sum(1).mean()
    torch.testing.assert_close(build_loss(LossConfig(name="ce"), "classes")(random_logits(4), NESTED), by_hand)


def test_classes_are_what_the_nested_regions_leave() -> None:
    regions = torch.tensor([[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]).view(1, 3, 2, 2)
    assert exclusive_classes(regions).flatten().tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize("name", ["dice", "dice_ce", "ce", "dice_focal"])
def test_classes_without_tumour_cost_nothing_for_background(name: str) -> None:
    logits = torch.tensor([40.0, -40, -40, -40]).view(1, 4, 1, 1).expand(2, 4, 8, 8).clone().requires_grad_()
    cost = build_loss(LossConfig(name=name, gamma=0.5), "classes")(logits, torch.zeros(2, 3, 8, 8))
    cost.backward()
    assert cost.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", ["dice_ce", "dice_focal"])
def test_deep_supervision_of_classes_in_three_dimensions(name: str) -> None:
    truth = torch.zeros(1, 3, 8, 8, 4)
    truth[..., 2:5, 3:6, 1:3] = 1
    sure = [F.one_hot(exclusive_classes(F.max_pool3d(truth, n)), 4).movedim(-1, 1) * 80.0 for n in (1, 2)]
    loss = build_loss(LossConfig(name=name), "classes")
    assert loss(sure, truth).item() == pytest.approx(0, abs=1e-6)
    assert loss([sure[0], -sure[1]], truth).item() > 0.2


@pytest.mark.parametrize(
    ("config", "target", "channels", "message"),
    [
        (LossConfig(name="ce"), "regions", 3, "'ce' is for classes"),
        (LossConfig(), "classes", 4, "take dice_ce"),
        (LossConfig(name="ce"), "classes", 3, "must be 4 for the target classes, was 3"),
        (LossConfig(regions=(1.0, 2.0)), "regions", 3, "each of the 3 regions"),
        (LossConfig(name="ce", regions=(1.0, 2.0, 1.0)), "classes", 4, "leave it out"),
        (LossConfig(regions=(0.0, 0.0)), "regions", 2, "not all 0"),
    ],
)
def test_what_cannot_work_is_refused_before_training(
    config: LossConfig, target: str, channels: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_loss(config, target, channels)


def test_a_loss_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="dice_focal"):
        LossConfig(name="jaccard")
