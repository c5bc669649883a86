"""One case: a label map against its reference, region by region."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bratsseg.errors import GridMismatch
from bratsseg.evaluation.lesion_rules import LesionRules
from bratsseg.evaluation.lesions import LesionScores, score_lesions
from bratsseg.evaluation.overlap import UNDEFINED, Mask, dice, precision, sensitivity
from bratsseg.evaluation.surface import hd95_mm
from bratsseg.study.brain import bounding_box
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region

_NOWHERE = (slice(0, 0), slice(0, 0), slice(0, 0))


@dataclass(frozen=True)
class RegionScores:
    """One region of one case. What is undefined is NaN; mm and mL are NaN too for a picture, whose pixels have no size.

    ``false_positive_ml`` is the whole predicted volume where the reference has none of the region, else NaN.
    """

    dice: float
    hd95_mm: float
    sensitivity: float
    precision: float
    predicted_ml: float
    reference_ml: float
    false_positive_ml: float
    predicted_empty: bool
    reference_empty: bool


@dataclass(frozen=True)
class CaseScores:
    """The regions of one case that both label maps can show; the others are named in ``not_assessable``.

    ``lesions`` are the lesion-wise scores of the same regions, when they were asked for and the grid has a size.
    """

    regions: dict[Region, RegionScores]
    not_assessable: tuple[Region, ...] = ()
    lesions: dict[Region, LesionScores] = field(default_factory=dict)


def score_case(predicted: LabelMap, reference: LabelMap, rules: LesionRules | None = None) -> CaseScores:
    """Compare two label maps on one grid; ``GridMismatch`` when their shapes or positions differ.

    With ``rules`` also lesion by lesion.
    """
    if not predicted.grid.same_as(reference.grid):
        raise GridMismatch(
            f"prediction and reference must share one grid; shapes {predicted.grid.shape} and {reference.grid.shape}, "
            f"corners {predicted.grid.displacement_mm(reference.grid):.1f} mm apart; resample the prediction to the "
            "grid of the reference"
        )
    shown = predicted.assessable & reference.assessable
    # Everything outside the box is empty in both, and no score depends on it.
    box = bounding_box(np.logical_or.reduce([*predicted.regions, *reference.regions])) or _NOWHERE
    scores = {
        region: _score_region(predicted.region(region)[box], reference.region(region)[box], predicted.grid)
        for region in Region
        if region in shown
    }
    lesions = {} if rules is None else _score_lesions(predicted, reference, shown, rules)
    return CaseScores(scores, tuple(region for region in Region if region not in shown), lesions)


def _score_lesions(
    predicted: LabelMap, reference: LabelMap, shown: frozenset[Region], rules: LesionRules
) -> dict[Region, LesionScores]:
    spacing = predicted.grid.spacing
    if spacing is None or not shown:
        return {}
    ours, theirs = ({str(r): label_map.region(r) for r in shown} for label_map in (predicted, reference))
    found = score_lesions(ours, theirs, spacing, rules)
    return {region: found[region] for region in Region if region in found}


def _score_region(predicted: Mask, reference: Mask, grid: Grid) -> RegionScores:
    voxel_ml = UNDEFINED if grid.voxel_ml is None else grid.voxel_ml
    predicted_ml, reference_ml = (int(np.count_nonzero(mask)) * voxel_ml for mask in (predicted, reference))
    reference_empty = not reference.any()
    return RegionScores(
        dice=dice(predicted, reference),
        hd95_mm=UNDEFINED if grid.spacing is None else hd95_mm(predicted, reference, grid.spacing),
        sensitivity=sensitivity(predicted, reference),
        precision=precision(predicted, reference),
        predicted_ml=predicted_ml,
        reference_ml=reference_ml,
        false_positive_ml=predicted_ml if reference_empty else UNDEFINED,
        predicted_empty=not predicted.any(),
        reference_empty=reference_empty,
    )
