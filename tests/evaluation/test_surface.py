from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.metrics import DiceMetric, compute_hausdorff_distance
from scipy import ndimage

from bratsseg.evaluation.surface import hd95_mm, surface
from bratsseg.study.overlap import dice
from tests.conftest import ball

SPACINGS = st.tuples(*[st.sampled_from([0.5, 1.0, 2.5, 6.0])] * 3)
PAIRS = st.tuples(*[st.integers(1, 5)] * 3).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)


def brute_force(predicted: np.ndarray, reference: np.ndarray, spacing: tuple[float, ...]) -> float:
    """The definition, every voxel against every voxel."""
    sides = [np.argwhere(mask & ~ndimage.binary_erosion(mask)) * spacing for mask in (predicted, reference)]
    distances = np.linalg.norm(sides[0][:, None] - sides[1][None], axis=-1)
    return max(np.percentile(distances.min(1), 95), np.percentile(distances.min(0), 95))


def single(*at: int) -> np.ndarray:
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[at] = True
    return mask


def test_two_voxels_by_hand():
    assert hd95_mm(single(1, 1, 1), single(4, 5, 1), (1.0, 1.0, 1.0)) == 5.0
    assert hd95_mm(single(1, 1, 1), single(1, 1, 3), (1.0, 1.0, 6.5)) == 13.0


def test_a_far_outlier_of_less_than_5_percent_does_not_count():
    plane = np.zeros((10, 10, 9), dtype=bool)
    plane[:, :, 2] = True
    with_outlier = plane.copy()
    with_outlier[5, 5, 8] = True
    assert hd95_mm(with_outlier, plane, (1.0, 1.0, 1.0)) == 0.0


def test_the_empty_cases():
    empty = np.zeros((3, 3, 3), dtype=bool)
    some = empty.copy()
    some[1, 1, 1] = True
    assert hd95_mm(empty, empty, (1.0, 1.0, 1.0)) == 0.0
    assert math.isnan(hd95_mm(empty, some, (1.0, 1.0, 1.0)))
    assert math.isnan(hd95_mm(some, empty, (1.0, 1.0, 1.0)))


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        hd95_mm(np.ones((2, 2, 2), dtype=bool), np.ones((2, 2, 3), dtype=bool), (1.0, 1.0, 1.0))


@given(hnp.arrays(bool, st.tuples(*[st.integers(1, 5)] * 3)))
def test_the_surface_is_what_erosion_removes(mask):
    np.testing.assert_array_equal(surface(mask), mask & ~ndimage.binary_erosion(mask))


@settings(deadline=None)
@given(PAIRS, SPACINGS)
def test_equals_brute_force_and_is_symmetric(pair, spacing):
    predicted, reference = pair
    value = hd95_mm(predicted, reference, spacing)
    if predicted.any() and reference.any():
        assert value == pytest.approx(brute_force(predicted, reference, spacing))
        assert value == hd95_mm(reference, predicted, spacing)
        assert hd95_mm(predicted, predicted, spacing) == 0.0


def test_hd95_and_dice_equal_monai_on_50_anisotropic_pairs():
    rng = np.random.default_rng(1)
    for _ in range(50):
        shape = tuple(int(size) for size in rng.integers(22, 34, 3))
        spacing = tuple(float(edge) for edge in rng.uniform(0.5, 5.5, 3))
        predicted, reference = (ball(shape, tuple(rng.uniform(8, 20, 3)), rng.uniform(3, 9)) for _ in range(2))
        predicted |= rng.random(shape) < 0.001
        theirs = compute_hausdorff_distance(
            torch.tensor(predicted)[None, None],
            torch.tensor(reference)[None, None],
            include_background=True,
            percentile=95,
            spacing=spacing,
        )
        assert hd95_mm(predicted, reference, spacing) == pytest.approx(float(theirs), rel=1e-5)
        overlap = DiceMetric(ignore_empty=False)(
            torch.tensor(predicted)[None, None], torch.tensor(reference)[None, None]
        )
        assert dice(predicted, reference) == pytest.approx(float(overlap), rel=1e-6)
