from __future__ import annotations

import math

import pytest
import torch

from bratsseg.errors import UsageError
from bratsseg.study.modality import Modality
from bratsseg.tensors.augmentation import AugmentationConfig, ModalityShares, apply_augmentation, draw_augmentation
from bratsseg.tensors.warping import warp

EVERYTHING = AugmentationConfig(
    flip=0.5,
    quarter_turns=0.5,
    rotation=1.0,
    scale=1.0,
    elastic=1.0,
    blur=0.5,
    low_resolution=0.5,
    gamma=0.5,
    noise=0.5,
)
PAIR = (Modality.FLAIR, Modality.T1C)


def batch(dims: int, slices: int = 1, side: int = 12, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    shape = [side] * dims
    pictures = torch.randn((3, len(PAIR) * slices, *shape), generator=generator)
    pictures[..., :2] = 0  # air
    truth = (torch.rand((3, 2, *shape), generator=generator) < 0.3).to(torch.uint8)
    return pictures.to(dtype), truth


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_no_augmentation_changes_nothing_to_the_bit(dims, dtype):
    pictures, truth = batch(dims, dtype=dtype)
    same, learnt = apply_augmentation(
        pictures, truth, draw_augmentation(AugmentationConfig.none(), (1, 2, 3), dims, PAIR)
    )
    assert same.dtype == dtype
    assert torch.equal(same, pictures)
    assert torch.equal(learnt, truth)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_sample_depends_on_its_seed_and_not_on_its_batch(dims):
    pictures, truth = batch(dims, slices=3 if dims == 2 else 1)
    seeds = (11, 12, 13)
    together = apply_augmentation(pictures, truth, draw_augmentation(EVERYTHING, seeds, dims, PAIR, ModalityShares()))
    for n, seed in enumerate(seeds):
        draws = draw_augmentation(EVERYTHING, [seed], dims, PAIR, ModalityShares())
        picture, regions = apply_augmentation(pictures[n : n + 1], truth[n : n + 1], draws)
        assert torch.equal(picture[0], together[0][n])
        assert torch.equal(regions[0], together[1][n])
    assert not torch.equal(together[0], pictures)


def test_mirroring_is_torch_flip_and_truth_follows():
    pictures, truth = batch(3)
    always = AugmentationConfig(flip=1.0, gain_sd=0, offset_sd=0)
    shown, learnt = apply_augmentation(pictures, truth, draw_augmentation(always, (0, 1, 2), 3, PAIR))
    assert torch.equal(shown, pictures.flip((2, 3, 4)))
    assert torch.equal(learnt, truth.flip((2, 3, 4)))


def test_axes_may_be_mirrored_with_a_probability_each():
    draws = draw_augmentation(AugmentationConfig(flip=(1.0, 0.0)), range(50), 2, PAIR)
    assert draws.flips.tolist() == [[True, False]] * 50
    with pytest.raises(UsageError, match="one probability, or 3 for these windows"):
        draw_augmentation(AugmentationConfig(flip=(1.0, 0.0)), [0], 3, PAIR)


@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 7)])
def test_a_rotation_by_90_degrees_is_rot90(shape):
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn((2, *shape), generator=generator)
    truth = (torch.rand((3, *shape), generator=generator) < 0.3).to(torch.uint8)
    matrix = torch.eye(len(shape))
    matrix[:2, :2] = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    shown, learnt = warp(picture, truth, matrix, None, "zero")
    turns = next(k for k in (1, 3) if torch.allclose(picture.rot90(k, (1, 2)), shown, atol=1e-4))
    assert torch.equal(learnt, truth.rot90(turns, (1, 2)))


def test_an_even_displacement_shifts_by_that_many_voxels():
    picture = torch.arange(100.0).view(1, 10, 10)
    shift = torch.stack([torch.full((5, 5), 2.0), torch.zeros((5, 5))])
    shown, _ = warp(picture, torch.zeros((1, 10, 10)), torch.eye(2), shift, "zero")
    assert torch.allclose(shown[:, :8], picture[:, 2:], atol=1e-3)
    assert shown[:, 8:].abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_missing_modality_and_the_air_stay_zero(dtype):
    """Whatever is drawn."""
    pictures, truth = batch(3, dtype=dtype)
    pictures[:, 1] = 0
    still = EVERYTHING.model_copy(update={"flip": 0, "quarter_turns": 0, "rotation": 0, "scale": 0, "elastic": 0})
    still = still.model_copy(update={"blur": 1, "low_resolution": 1, "gamma": 1, "noise": 1})
    shown, _ = apply_augmentation(pictures, truth, draw_augmentation(still, (4, 5, 6), 3, PAIR))
    assert shown.dtype == dtype
    assert shown[:, 1].abs().max() == 0
    assert shown[..., :2].abs().max() == 0
    assert (shown[:, 0, ..., 2:] != pictures[:, 0, ..., 2:]).float().mean() > 0.9
    warped, _ = apply_augmentation(pictures, truth, draw_augmentation(EVERYTHING, (4, 5, 6), 3, PAIR))
    assert warped[:, 1].abs().max() == 0


def test_all_slices_of_a_modality_get_the_same_gain_and_offset():
    pictures = torch.ones((1, 2 * 5, 6, 6))
    shown, _ = apply_augmentation(
        pictures, torch.zeros((1, 1, 6, 6)), draw_augmentation(AugmentationConfig(flip=0), [9], 2, PAIR)
    )
    values = shown.view(2, -1)
    assert torch.equal(values.amin(1), values.amax(1))
    assert values[0, 0] != values[1, 0]


def test_drawn_spreads_are_those_of_the_config():
    draws = draw_augmentation(AugmentationConfig(flip=0.5, rotation=0.2, noise=0.3), range(400), 3, PAIR)
    assert draws.gain.log().std().item() == pytest.approx(0.12, rel=0.1)
    assert draws.offset.std().item() == pytest.approx(0.12, rel=0.1)
    assert draws.flips.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert sum(matrix is not None for matrix in draws.matrix) / 400 == pytest.approx(0.2, abs=0.06)
    for matrix in draws.matrix:
        assert matrix is None or math.isclose(torch.linalg.det(matrix).item(), 1.0, abs_tol=1e-5)


def test_modality_dropout_leaves_something_by_its_shares():
    draws = draw_augmentation(AugmentationConfig.none(), range(600), 2, tuple(Modality), ModalityShares())
    kept = draws.gain > 0
    assert kept.any(1).all()
    assert kept.all(1).float().mean().item() == pytest.approx(0.35, abs=0.06)
    assert (kept[:, 0] | kept[:, 3]).all()  # FLAIR or T2


def test_quarter_turns_of_oblong_windows_are_refused():
    pictures, truth = torch.ones((1, 2, 6, 8)), torch.zeros((1, 1, 6, 8))
    with pytest.raises(UsageError, match="as long as wide"):
        apply_augmentation(pictures, truth, draw_augmentation(AugmentationConfig(quarter_turns=1), [0], 2, PAIR))
