from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from bratsseg.evaluation.pixels import Confusion, case_pixels, count_pixels, pool
from bratsseg.study.overlap import dice

MASKS = arrays(np.bool_, (4, 3, 5))


def mask(*voxels: tuple[int, int, int]) -> np.ndarray:
    made = np.zeros((4, 3, 5), bool)
    for voxel in voxels:
        made[voxel] = True
    return made


def test_a_worked_example() -> None:
    # Slice 0: two tumour pixels, one found, one invented. Slice 1: tumour missed. Slice 2: invented. 3, 4: nothing.
    reference = mask((0, 0, 0), (1, 0, 0), (0, 0, 1))
    predicted = mask((0, 0, 0), (2, 0, 0), (0, 0, 2), (1, 0, 2))
    report = pool([case_pixels(predicted, reference, 0.001)])
    assert report.everywhere == Confusion(true_positive=1, false_positive=3, false_negative=2, true_negative=54)
    assert report.on_tumour_slices == Confusion(true_positive=1, false_positive=1, false_negative=2, true_negative=20)
    assert (report.cases, report.slices, report.tumour_slices) == (1, 5, 2)
    wanted = {
        "pooled_dice": 2 / 7,
        "pooled_iou": 1 / 6,
        "pooled_precision": 1 / 4,
        "pooled_recall": 1 / 3,
        "pooled_specificity": 54 / 57,
        "pooled_dice@tumour_slices": 2 / 5,
        "pooled_iou@tumour_slices": 1 / 4,
        "pooled_precision@tumour_slices": 1 / 2,
        "pooled_recall@tumour_slices": 1 / 3,
        "pooled_specificity@tumour_slices": 20 / 21,
        "slice_dice@tumour": (2 / 4 + 0) / 2,
        "empty_slices_fp_rate": 1 / 3,
        "empty_slices_fp_ml": 0.002,
    }
    assert report.scores == pytest.approx(wanted)
    assert list(report.scores) == list(wanted) == list(report.all_background)


def test_finding_nothing_looks_good_on_pixels() -> None:
    reference = mask((0, 0, 0))
    report = pool([case_pixels(mask((1, 1, 1)), reference, None)])
    nothing = pool([case_pixels(mask(), reference, None)])
    assert report.all_background == nothing.scores == nothing.all_background
    assert nothing.scores["pooled_specificity"] == 1.0
    assert nothing.scores["pooled_dice"] == nothing.scores["slice_dice@tumour"] == 0.0
    assert nothing.scores["pooled_precision"] is None
    assert nothing.scores["empty_slices_fp_ml"] is None


def test_nothing_against_nothing() -> None:
    report = pool([case_pixels(mask(), mask(), 0.001)])
    assert report.scores["pooled_dice"] == report.scores["pooled_iou"] == 1.0
    assert report.scores["pooled_recall"] is report.scores["slice_dice@tumour"] is None
    assert report.scores["empty_slices_fp_rate"] == 0.0
    nobody = pool([])
    assert nobody.cases == nobody.slices == 0
    assert nobody.scores["empty_slices_fp_rate"] is None


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one shape"):
        count_pixels(mask(), np.zeros((1, 1, 1), bool))


@settings(max_examples=60, deadline=None)
@given(MASKS, MASKS, MASKS, MASKS)
def test_pooling_is_laying_the_cases_side_by_side(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> None:
    both = pool([case_pixels(a, b, 1.0), case_pixels(c, d, 1.0)])
    one = pool([case_pixels(np.concatenate([a, c], axis=2), np.concatenate([b, d], axis=2), 1.0)])
    assert both.scores == pytest.approx(one.scores)
    assert both.scores["pooled_dice"] == pytest.approx(dice(np.stack([a, c]), np.stack([b, d])))
    across = pool([case_pixels(np.moveaxis(a, 2, 0), np.moveaxis(b, 2, 0), 1.0, axis=0)])
    assert across.scores == pytest.approx(pool([case_pixels(a, b, 1.0)]).scores)
