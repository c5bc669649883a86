"""One case: a label map against its reference, region by region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bratsseg.errors import GridMismatch
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
    """The regions of one case that both label maps can show; the others are named in ``not_assessable``."""

    regions: dict[Region, RegionScores]
    not_assessable: tuple[Region, ...] = ()


def score_case(predicted: LabelMap, reference: LabelMap) -> CaseScores:
    """Compare two label maps on one grid; ``GridMismatch`` when their shapes or positions differ."""
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
    return CaseScores(scores, tuple(region for region in Region if region not in shown))


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
