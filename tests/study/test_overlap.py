from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.metrics import DiceMetric

from bratsseg.study.overlap import dice, precision, sensitivity

SHAPES = st.tuples(*[st.integers(1, 5)] * 3)
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape)))


def line(*values: int) -> np.ndarray:
    return np.array(values, dtype=bool).reshape(-1, 1, 1)


def test_by_hand():
    predicted, reference = line(1, 1, 1, 0, 0), line(0, 1, 1, 1, 1)
    assert dice(predicted, reference) == 2 * 2 / (3 + 4)
    assert sensitivity(predicted, reference) == 2 / 4
    assert precision(predicted, reference) == 2 / 3


def test_the_empty_cases():
    empty, some = line(0, 0), line(0, 1)
    assert dice(empty, empty) == 1.0
    assert dice(empty, some) == dice(some, empty) == 0.0
    assert math.isnan(sensitivity(some, empty))
    assert math.isnan(precision(empty, some))
    assert sensitivity(empty, some) == 0.0
    assert precision(some, empty) == 0.0


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        dice(line(1, 0), line(1))


@given(PAIRS)
def test_bounds_symmetry_and_the_link_between_the_three(pair):
    predicted, reference = pair
    value = dice(predicted, reference)
    assert 0.0 <= value <= 1.0
    assert value == dice(reference, predicted)
    assert math.isnan(sensitivity(predicted, reference)) == (not reference.any())
    assert sensitivity(predicted, reference) == precision(reference, predicted) or not reference.any()
    if predicted.any() and reference.any():
        found, right = sensitivity(predicted, reference), precision(predicted, reference)
        assert value == pytest.approx(2 * found * right / (found + right) if found + right else 0.0)


def test_equals_monai():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.02, 0.3, 1.0):
        predicted, reference = rng.random((6, 7, 8)) < share, rng.random((6, 7, 8)) < 0.3
        theirs = DiceMetric(ignore_empty=False)(
            torch.tensor(predicted)[None, None], torch.tensor(reference)[None, None]
        )
        assert dice(predicted, reference) == pytest.approx(float(theirs))
