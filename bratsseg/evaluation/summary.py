"""Many cases in a few numbers: what is averaged over which cases, and what was left out and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from bratsseg.config import Config
from bratsseg.evaluation.agreement import BlandAltman, bland_altman, bootstrap_ci
from bratsseg.evaluation.pixels import PixelReport, pool
from bratsseg.evaluation.scoring import CaseScores, RegionScores
from bratsseg.study.patient import patient_of
from bratsseg.study.regions import Region

_AS_NAMED = (
    "hd95_mm",
    "nsd_1mm",
    "nsd_2mm",
    "sensitivity",
    "precision",
    "specificity",
    "volume_difference_ml",
)


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
    """Percentile bootstrap of the mean over patients (``bootstrap_ci``), over at least two patients."""


class RegionSummary(Config):
    """One region over the cases in which both label maps can show it."""

    assessed: int
    """Cases that count below."""
    not_assessable: int
    """Cases left out because one label map cannot show the region."""
    vol_dice: Spread
    """Dice of each patient's whole volume; both empty: 1, one empty: 0."""
    vol_iou: Spread
    """IoU of each patient's whole volume, empty as Dice."""
    hd95_mm: Spread
    """Both empty: 0, one empty: undefined."""
    nsd_1mm: Spread
    """Normalised surface Dice by area at 1 mm; both empty: 1, one empty: 0."""
    nsd_2mm: Spread
    """The same at 2 mm."""
    sensitivity: Spread
    """Undefined where the reference has none of the region."""
    precision: Spread
    """Undefined where the prediction has none of the region."""
    specificity: Spread
    """Share of what lies outside the reference that was left; near 1 in any large field of view."""
    volume_difference_ml: Spread
    """Predicted less reference."""
    volume_agreement_ml: BlandAltman
    """The same by Bland and Altman, with limits of agreement."""
    missed: int
    """Total misses: cases whose reference has the region and of which not one voxel was found."""
    lesion_dice: Spread
    """BraTS lesion-wise Dice; undefined where it was not asked for."""
    lesion_hd95_mm: Spread
    """BraTS lesion-wise HD95, with its penalties for missed and false lesions."""
    vol_dice_where_present: Spread
    """Dice over the cases whose reference has the region."""
    false_positive_ml: Spread
    """Predicted mL over the cases whose reference has none of the region."""
    pixels: PixelReport
    """All pixels of all cases as one, beside what a prediction of nothing scores."""


class Summary(Config):
    """All regions over all scored cases."""

    scored: int
    """Cases with scores."""
    regions: dict[str, RegionSummary]
    """By region; the cavity too where any case has it."""


def summarise(cases: Mapping[str, CaseScores]) -> Summary:
    """Sum up the scores of many cases by id; of none too. Cases whose ids name one patient are drawn together."""
    extra = {name for case in cases.values() for name in case.regions} - set(Region)
    names = [*map(str, Region), *sorted(extra)]
    return Summary(scored=len(cases), regions={name: _sum_up(name, cases) for name in names})


def spread(values: Iterable[float], patients: Sequence[str] | None = None) -> Spread:
    """Mean, median, sample SD and bootstrap interval of what is not NaN; each value is a patient unless named."""
    numbers = np.asarray(list(values), dtype=np.float64)
    defined = numbers[~np.isnan(numbers)]
    undefined = len(numbers) - len(defined)
    if not len(defined):
        return Spread(cases=0, undefined=undefined)
    found = bootstrap_ci(numbers, patients)
    return Spread(
        cases=len(defined),
        undefined=undefined,
        mean=float(defined.mean()),
        median=float(np.median(defined)),
        sd=float(defined.std(ddof=1)) if len(defined) > 1 else None,
        mean_ci95=None if found.low is None or found.high is None else (found.low, found.high),
    )


def _sum_up(region: str, cases: Mapping[str, CaseScores]) -> RegionSummary:
    owners = {name: patient_of(name) for name, case in cases.items() if region in case.regions}
    scores = {name: cases[name].regions[region] for name in owners}

    def over(score: str, kept: Callable[[RegionScores], bool] = lambda _: True) -> Spread:
        names = [name for name in scores if kept(scores[name])]
        return spread((getattr(scores[name], score) for name in names), [owners[name] for name in names])

    def over_lesions(score: str) -> Spread:
        names = [name for name, case in cases.items() if region in case.lesions]
        values = (getattr(cases[name].lesions[region], score) for name in names)
        return spread(values, [patient_of(name) for name in names])

    return RegionSummary(
        assessed=len(scores),
        not_assessable=len(cases) - len(scores),
        vol_dice=over("dice"),
        vol_iou=over("iou"),
        **{name: over(name) for name in _AS_NAMED},
        volume_agreement_ml=bland_altman(
            [score.predicted_ml for score in scores.values()], [score.reference_ml for score in scores.values()]
        ),
        missed=sum(score.missed for score in scores.values()),
        lesion_dice=over_lesions("dice"),
        lesion_hd95_mm=over_lesions("hd95_mm"),
        vol_dice_where_present=over("dice", lambda score: not score.reference_empty),
        false_positive_ml=over("false_positive_ml", lambda score: score.reference_empty),
        pixels=pool(score.pixels for score in scores.values()),
    )
