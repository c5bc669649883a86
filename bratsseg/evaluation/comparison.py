"""Two results against the same references: is one better, by how much, and how sure is that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from bratsseg.config import Config
from bratsseg.evaluation.agreement import BlandAltman, PairedComparison, bland_altman, compare_paired
from bratsseg.evaluation.folders import Evaluation
from bratsseg.study.patient import patient_of

COMPARED = {
    "vol_dice": "dice",
    "vol_iou": "iou",
    "hd95_mm": "hd95_mm",
    "nsd_1mm": "nsd_1mm",
    "sensitivity": "sensitivity",
    "precision": "precision",
}
"""Names of the scores compared, and what each is called of one case."""


class RegionComparison(Config):
    """One region over the cases that both results have."""

    scores: dict[str, PairedComparison]
    """By name; first less second. More is better, but for ``hd95_mm``. ``lesion_…`` where both were scored so."""
    volumes_ml: BlandAltman
    """Predicted volume of the first less that of the second."""


class Comparison(Config):
    """Two results, first less second."""

    cases: int
    """Cases scored in both."""
    only_first: tuple[str, ...]
    """Cases scored in the first alone; they are in no number below."""
    only_second: tuple[str, ...]
    """Cases scored in the second alone."""
    regions: dict[str, RegionComparison]
    """By region."""
    tests: int
    """How many p-values stand here: none is corrected for that; Bonferroni's bound is .05 over this number."""


COMPARISON_COLUMNS = (
    "region",
    "score",
    "cases",
    "undefined",
    "mean_difference",
    "low",
    "high",
    "median_difference",
    "higher",
    "equal",
    "lower",
    "p",
    "rank_biserial",
)


def compare_evaluations(first: Evaluation, second: Evaluation) -> Comparison:
    """Compare two results of ``evaluate_folders`` over one folder of references, case by case."""
    shared = first.scores.keys() & second.scores.keys()
    names = dict.fromkeys(
        name for case in sorted(shared) for name in first.scores[case].regions if name in second.scores[case].regions
    )
    regions = {name: _compare_region(first, second, name) for name in names}
    return Comparison(
        cases=len(shared),
        only_first=tuple(sorted(first.scores.keys() - shared)),
        only_second=tuple(sorted(second.scores.keys() - shared)),
        regions=regions,
        tests=sum(found.p is not None for region in regions.values() for found in region.scores.values()),
    )


def comparison_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    """A row a region and score under ``COMPARISON_COLUMNS``; an empty number is undefined."""
    for region, compared in comparison.regions.items():
        for name, found in compared.scores.items():
            interval = found.mean_difference
            numbers = (interval.value, interval.low, interval.high, found.median_difference)
            yield (
                region,
                name,
                str(found.cases),
                str(found.undefined),
                *map(_cell, numbers),
                *map(str, (found.higher, found.equal, found.lower)),
                _cell(found.p),
                _cell(found.rank_biserial),
            )


def _compare_region(first: Evaluation, second: Evaluation, region: str) -> RegionComparison:
    def both(score: str) -> PairedComparison:
        return _paired(*(_each(side, "regions", region, score) for side in (first, second)))

    def both_lesions(score: str) -> PairedComparison:
        return _paired(*(_each(side, "lesions", region, score) for side in (first, second)))

    scores = {name: both(score) for name, score in COMPARED.items()}
    lesions = {f"lesion_{name}": both_lesions(name) for name in ("dice", "hd95_mm")}
    scores |= {name: found for name, found in lesions.items() if found.cases}
    shared = sorted(
        name
        for name in first.scores.keys() & second.scores.keys()
        if region in first.scores[name].regions and region in second.scores[name].regions
    )
    volumes = [[side.scores[name].regions[region].predicted_ml for name in shared] for side in (first, second)]
    return RegionComparison(scores=scores, volumes_ml=bland_altman(*volumes))


def _each(side: Evaluation, kind: Literal["regions", "lesions"], region: str, score: str) -> dict[str, float]:
    """One score of one region, by case."""
    known = {name: getattr(case, kind) for name, case in side.scores.items()}
    return {name: float(getattr(found[region], score)) for name, found in known.items() if region in found}


def _paired(first: dict[str, float], second: dict[str, float]) -> PairedComparison:
    return compare_paired(first, second, {name: patient_of(name) for name in first.keys() | second.keys()})


def _cell(number: float | None) -> str:
    return "" if number is None or math.isnan(number) else f"{number:.6g}"
