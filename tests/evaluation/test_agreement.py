from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bratsseg.evaluation.agreement import bland_altman, bootstrap_ci, compare_paired

NAN = math.nan
SCORES = st.lists(st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3)), min_size=2, max_size=9)


def test_interval_agrees_with_scipy_and_repeats_itself() -> None:
    values = np.random.default_rng(3).beta(8, 2, 60)
    ours = bootstrap_ci(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.005)
    assert ours.value == pytest.approx(values.mean())
    assert bootstrap_ci(values) == ours
    assert bootstrap_ci(values, seed=1) != ours


def test_scans_of_one_patient_are_drawn_together() -> None:
    values = np.random.default_rng(5).normal(size=20)
    thrice, owners = np.repeat(values, 3), np.repeat([f"p{n}" for n in range(20)], 3)
    together, apart = bootstrap_ci(thrice, owners.tolist()), bootstrap_ci(thrice)
    assert together.patients == 20
    assert apart.patients == 60
    assert together.high - together.low > 1.4 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("values", "value", "patients", "undefined"),
    [([], None, 0, 0), ([NAN, NAN], None, 0, 2), ([0.5, NAN], 0.5, 1, 1)],
)
def test_too_few_patients_have_no_interval(
    values: list[float], value: float | None, patients: int, undefined: int
) -> None:
    found = bootstrap_ci(values)
    assert (found.value, found.low, found.high) == (value, None, None)
    assert (found.patients, found.undefined) == (patients, undefined)


def test_each_value_must_have_its_patient() -> None:
    with pytest.raises(ValueError, match="2 values and 1 patients"):
        bootstrap_ci([1.0, 2.0], ["a"])


def test_limits_of_agreement_of_a_known_example() -> None:
    # Bland & Altman 1986, peak expiratory flow by two meters: mean difference -2.1, SD 38.8 l/min, n 17.
    wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    found = bland_altman(np.array(wright, float), np.array(mini, float))
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert (found.lower, found.upper) == pytest.approx((-78.1, 73.9), abs=0.2)
    assert found.bias_ci95 == pytest.approx((-22.0, 17.8), abs=0.15)
    assert found.lower_ci95 is not None
    # The paper of 1986 rounds the variance of a limit to 3 SD²/n: -114.3 to -43.1.
    assert found.lower_ci95 == pytest.approx((-114.3, -43.1), abs=2.0)


def test_few_or_undefined_pairs() -> None:
    assert bland_altman([], []).bias is None
    alone = bland_altman([3.0, NAN, 1.0], [1.0, 2.0, NAN])
    assert (alone.pairs, alone.undefined, alone.bias, alone.sd, alone.lower) == (1, 2, 2.0, None, None)
    with pytest.raises(ValueError, match="pairs"):
        bland_altman([1.0], [1.0, 2.0])


def test_other_statistics() -> None:
    values = np.random.default_rng(8).normal(size=(31, 2)).ravel()
    owners = np.repeat([f"p{n}" for n in range(31)], 2).tolist()
    assert bootstrap_ci(values, owners, np.mean).low == pytest.approx(bootstrap_ci(values, owners).low)
    median = bootstrap_ci(values, owners, np.median)
    assert median.low < np.median(values) == median.value < median.high


@settings(max_examples=20, deadline=None)
@given(SCORES)
def test_exchanging_the_results_exchanges_the_signs(values: list[float]) -> None:
    first = {str(n): value for n, value in enumerate(values)}
    second = {str(n): values[-n] for n in range(len(values))}
    there, back = compare_paired(first, second), compare_paired(second, first)
    assert there.p == back.p
    assert there.rank_biserial == -back.rank_biserial
    assert (there.higher, there.equal, there.lower) == (back.lower, back.equal, back.higher)
    assert -1 <= there.rank_biserial <= 1
    one, two = bland_altman(values, values[::-1]), bland_altman(values[::-1], values)
    assert one.bias == pytest.approx(-two.bias, abs=1e-9)


def test_effect_size_of_a_worked_example() -> None:
    # Ranks 1, 2, 3, 4 of 0.1, -0.2, 0.3, 0.4: (1 + 3 + 4 - 2) / 10.
    first = {"a": 0.1, "b": -0.2, "c": 0.3, "d": 0.4, "e": 0.7}
    found = compare_paired(first, dict.fromkeys("abcd", 0.0) | {"e": 0.7})
    assert found.rank_biserial == pytest.approx(0.6)
    assert (found.higher, found.equal, found.lower) == (3, 1, 1)
    assert found.p == pytest.approx(stats.wilcoxon([0.1, -0.2, 0.3, 0.4]).pvalue)


def test_what_was_left_out_is_named() -> None:
    found = compare_paired({"a": 1.0, "b": NAN, "c": 1.0}, {"a": 1.0, "b": 1.0, "d": 1.0})
    assert (found.cases, found.undefined) == (1, 1)
    assert (found.only_first, found.only_second) == (("c",), ("d",))
    assert (found.p, found.rank_biserial) == (1.0, 0.0)
    nothing = compare_paired({}, {"a": 1.0})
    assert (nothing.cases, nothing.p, nothing.rank_biserial, nothing.median_difference) == (0, None, None, None)
    assert nothing.mean_difference.value is None
