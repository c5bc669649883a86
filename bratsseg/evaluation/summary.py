"""Many cases in a few numbers: what is averaged over which cases, and what was left out and counted."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from bratsseg.config import Config
from bratsseg.evaluation.scoring import CaseScores, RegionScores
from bratsseg.study.regions import Region

BOOTSTRAP_DRAWS = 2000


class Spread(Config):
    """One score over cases. NaN is counted in ``undefined`` and in nothing else."""

    cases: int
    """How many cases the numbers are over."""
    undefined: int = 0
    """How many more cases have no such number."""
    mean: float | None = None
    """Mean; None over no case, as all that follow."""
    median: float | None = None
    """Median."""
    sd: float | None = None
    """Sample standard deviation, over at least two cases."""
    mean_ci95: tuple[float, float] | None = None
    """Percentile bootstrap over cases of the mean, 2000 draws from seed 0, over at least two cases."""


class RegionSummary(Config):
    """One region over the cases in which both label maps can show it."""

    assessed: int
    """Cases that count below."""
    not_assessable: int
    """Cases left out because one label map cannot show the region."""
    vol_dice: Spread
    """Dice of each patient's whole volume; both empty: 1, one empty: 0."""
    hd95_mm: Spread
    """Both empty: 0, one empty: undefined."""
    sensitivity: Spread
    """Undefined where the reference has none of the region."""
    precision: Spread
    """Undefined where the prediction has none of the region."""
    lesion_dice: Spread
    """BraTS lesion-wise Dice; undefined where it was not asked for."""
    lesion_hd95_mm: Spread
    """BraTS lesion-wise HD95, with its penalties for missed and false lesions."""
    vol_dice_where_present: Spread
    """Dice over the cases whose reference has the region."""
    false_positive_ml: Spread
    """Predicted mL over the cases whose reference has none of the region."""


class Summary(Config):
    """All regions over all scored cases."""

    scored: int
    """Cases with scores."""
    regions: dict[Region, RegionSummary]
    """By region."""


def summarise(cases: Collection[CaseScores]) -> Summary:
    """Sum up the scores of many cases; of none too."""
    return Summary(scored=len(cases), regions={region: _sum_up(region, cases) for region in Region})


def spread(values: Iterable[float]) -> Spread:
    """Mean, median, sample SD and bootstrap interval of what is not NaN."""
    numbers = np.asarray(list(values), dtype=np.float64)
    defined = numbers[~np.isnan(numbers)]
    undefined = len(numbers) - len(defined)
    if not len(defined):
        return Spread(cases=0, undefined=undefined)
    several = len(defined) > 1
    return Spread(
        cases=len(defined),
        undefined=undefined,
        mean=float(defined.mean()),
        median=float(np.median(defined)),
        sd=float(defined.std(ddof=1)) if several else None,
        mean_ci95=_bootstrap(defined) if several else None,
    )


def _sum_up(region: Region, cases: Collection[CaseScores]) -> RegionSummary:
    lesions = [case.lesions[region] for case in cases if region in case.lesions]
    scores: list[RegionScores] = [case.regions[region] for case in cases if region in case.regions]
    return RegionSummary(
        assessed=len(scores),
        not_assessable=len(cases) - len(scores),
        vol_dice=spread(score.dice for score in scores),
        hd95_mm=spread(score.hd95_mm for score in scores),
        sensitivity=spread(score.sensitivity for score in scores),
        precision=spread(score.precision for score in scores),
        lesion_dice=spread(score.dice for score in lesions),
        lesion_hd95_mm=spread(score.hd95_mm for score in lesions),
        vol_dice_where_present=spread(score.dice for score in scores if not score.reference_empty),
        false_positive_ml=spread(score.false_positive_ml for score in scores if score.reference_empty),
    )


def _bootstrap(values: NDArray[np.float64]) -> tuple[float, float]:
    draws = np.random.default_rng(0).integers(0, len(values), (BOOTSTRAP_DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)
