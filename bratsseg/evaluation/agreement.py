"""How sure a mean is, how far two measurements agree, and whether one result is better than another.

Every function drops NaN and counts what it dropped; what cannot be said of so few numbers is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bratsseg.config import Config

Numbers = NDArray[np.float64]
DRAWS = 2000
NORMAL_95 = 1.96


class Interval(Config):
    """A number over patients and what it might have been with other patients."""

    value: float | None
    """The statistic itself; None over no number."""
    low: float | None = None
    """Lower end of the 95 % interval; None over fewer than two patients."""
    high: float | None = None
    """Upper end."""
    patients: int
    """How many patients were drawn from."""
    undefined: int = 0
    """Numbers left out because they were NaN."""


class BlandAltman(Config):
    """Agreement of two measurements of the same things, first minus second, in their own unit."""

    pairs: int
    """Pairs of two numbers."""
    undefined: int = 0
    """Pairs left out because one or both were NaN."""
    bias: float | None = None
    """Mean difference; None over no pair."""
    sd: float | None = None
    """Sample standard deviation of the differences; None over fewer than two pairs, as all that follow."""
    bias_ci95: tuple[float, float] | None = None
    """By Student's t."""
    lower: float | None = None
    """Lower limit of agreement: bias - 1.96 SD."""
    upper: float | None = None
    """Upper limit of agreement: bias + 1.96 SD."""
    lower_ci95: tuple[float, float] | None = None
    """By Student's t on the limit's standard error."""
    upper_ci95: tuple[float, float] | None = None
    """By Student's t on the limit's standard error."""


class PairedComparison(Config):
    """One score of two results on the same cases, first minus second."""

    cases: int
    """Cases with both numbers."""
    undefined: int = 0
    """Cases left out because one or both numbers were NaN."""
    only_first: tuple[str, ...] = ()
    """Cases left out because the second result lacks them."""
    only_second: tuple[str, ...] = ()
    """Cases left out because the first result lacks them."""
    higher: int
    """Cases where the first is higher."""
    equal: int
    """Cases where both are equal: they say nothing about the sign and are not ranked."""
    lower: int
    """Cases where the first is lower."""
    mean_difference: Interval
    """Mean difference with its patient-bootstrap interval."""
    median_difference: float | None = None
    """Median difference; None over no case."""
    p: float | None = None
    """Two-sided, uncorrected for how many comparisons are made; 1 when all are equal, None over no case."""
    rank_biserial: float | None = None
    """Effect size from -1 (first always lower) over 0 to 1 (first always higher); None over no case."""


def bootstrap_ci(
    values: Sequence[float] | Numbers,
    patients: Sequence[str] | None = None,
    statistic: Callable[[Numbers], float] | None = None,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap, 95 %, 2000 draws: patients are drawn with replacement, each with all its numbers.

    Paper: Efron 1979, doi:10.1214/aos/1176344552; whole patients, because several scans of one are not independent.
    Agrees with ``scipy.stats.bootstrap(method="percentile")`` up to chance where each patient has one number.
    ``patients`` names the patient of each value; None: each value is a patient. ``statistic`` is the mean unless given.
    No number: all None; one patient: no interval. The same seed gives the same interval.
    """
    numbers = np.asarray(values, dtype=np.float64)
    owners = np.arange(len(numbers)) if patients is None else np.asarray(patients)
    if len(owners) != len(numbers):
        raise ValueError(f"each value must have its patient, were {len(numbers)} values and {len(owners)} patients")
    defined = ~np.isnan(numbers)
    undefined = int(np.count_nonzero(~defined))
    numbers = numbers[defined]
    names, place = np.unique(owners[defined], return_inverse=True)
    value = float((statistic or np.mean)(numbers)) if len(numbers) else None
    count = len(names)
    if count < 2:
        return Interval(value=value, patients=count, undefined=undefined)
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    if statistic is None:
        drawn = times @ np.bincount(place, numbers) / (times @ np.bincount(place))
    else:
        drawn = np.array([statistic(np.repeat(numbers, row[place])) for row in times])
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Interval(value=value, low=float(low), high=float(high), patients=count, undefined=undefined)


def bland_altman(first: Sequence[float] | Numbers, second: Sequence[float] | Numbers) -> BlandAltman:
    """Bias and 95 % limits of agreement of paired measurements, such as predicted and reference volumes in mL.

    Paper: Bland & Altman 1986, doi:10.1016/S0140-6736(86)90837-8; intervals of the limits from their paper of 1999,
    doi:10.1177/096228029900800204, with variance SD² (1/n + 1.96² / (2 (n - 1))). Differences are taken as roughly
    normal and as large for large values as for small ones: look at the plot before using the limits.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"measurements must come in pairs, were {one.shape} and {other.shape}")
    difference = one - other
    defined = difference[np.isfinite(difference)]
    pairs, undefined = len(defined), len(difference) - len(defined)
    if pairs < 2:
        return BlandAltman(pairs=pairs, undefined=undefined, bias=float(defined[0]) if pairs else None)
    bias, sd = float(defined.mean()), float(defined.std(ddof=1))
    t = float(stats.t.ppf(0.975, pairs - 1))
    of_bias = t * sd / math.sqrt(pairs)
    of_limit = t * sd * math.sqrt(1 / pairs + NORMAL_95**2 / (2 * (pairs - 1)))
    lower, upper = bias - NORMAL_95 * sd, bias + NORMAL_95 * sd
    return BlandAltman(
        pairs=pairs,
        undefined=undefined,
        bias=bias,
        sd=sd,
        bias_ci95=(bias - of_bias, bias + of_bias),
        lower=lower,
        upper=upper,
        lower_ci95=(lower - of_limit, lower + of_limit),
        upper_ci95=(upper - of_limit, upper + of_limit),
    )


def compare_paired(
    first: Mapping[str, float], second: Mapping[str, float], patients: Mapping[str, str] | None = None, seed: int = 0
) -> PairedComparison:
    """Compare one score of two results, case by case; ``patients`` names the patient of each case.

    Wilcoxon's signed-rank test (1945, doi:10.2307/3001968) by ``scipy.stats.wilcoxon``, equal cases left out as he
    did; effect size: matched-pairs rank-biserial correlation (Kerby 2014, doi:10.2466/11.IT.3.1), the ranks of the
    cases where the first is higher less those where it is lower, over all ranks. The test takes each case as
    independent, also where patients have several. All cases equal: p 1, effect 0. No case: both None.
    """
    shared = sorted(first.keys() & second.keys())
    difference = np.array([first[case] - second[case] for case in shared], dtype=np.float64)
    defined = np.isfinite(difference)
    numbers = difference[defined]
    owners = [patients[case] if patients else case for case, kept in zip(shared, defined, strict=True) if kept]
    p, effect = _signed_ranks(numbers)
    return PairedComparison(
        cases=len(numbers),
        undefined=len(difference) - len(numbers),
        only_first=tuple(sorted(first.keys() - second.keys())),
        only_second=tuple(sorted(second.keys() - first.keys())),
        higher=int(np.count_nonzero(numbers > 0)),
        equal=int(np.count_nonzero(numbers == 0)),
        lower=int(np.count_nonzero(numbers < 0)),
        mean_difference=bootstrap_ci(numbers, owners, seed=seed),
        median_difference=float(np.median(numbers)) if len(numbers) else None,
        p=p,
        rank_biserial=effect,
    )


def _signed_ranks(difference: Numbers) -> tuple[float | None, float | None]:
    """Two-sided p and the matched-pairs rank-biserial correlation."""
    if not len(difference):
        return None, None
    unequal = difference[difference != 0]
    if not len(unequal):
        return 1.0, 0.0
    ranks = stats.rankdata(np.abs(unequal))
    effect = float((ranks * np.sign(unequal)).sum() / ranks.sum())
    return float(stats.wilcoxon(unequal, zero_method="wilcox").pvalue), effect
