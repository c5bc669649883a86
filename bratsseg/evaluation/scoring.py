"""One case: a label map against its reference, region by region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bratsseg.errors import GridMismatch
from bratsseg.evaluation.lesion_rules import LesionRules
from bratsseg.evaluation.lesions import LesionScores, masks_from_regions, score_lesions
from bratsseg.evaluation.pixels import CasePixels, case_pixels
from bratsseg.evaluation.surface import hd95_mm
from bratsseg.evaluation.surface_distance import surface_distances
from bratsseg.study.brain import bounding_box
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.overlap import UNDEFINED, Mask, dice, iou, precision, sensitivity, specificity
from bratsseg.study.regions import Region

CAVITY = "RC"
"""The resection cavity of BraTS 2024, which lies in no ``Region`` and is scored where both label maps tell it."""
NSD_MM = (1.0, 2.0)
"""Tolerances of the normalised surface Dice in mm."""
_NOWHERE = (slice(0, 0), slice(0, 0), slice(0, 0))


@dataclass(frozen=True)
class RegionScores:
    """One region of one case. What is undefined is NaN; mm and mL are NaN too for a picture, whose pixels have no size.

    ``false_positive_ml`` is the whole predicted volume where the reference has none of the region, otherwise NaN.
    """

    dice: float
    iou: float
    hd95_mm: float
    nsd_1mm: float
    nsd_2mm: float
    sensitivity: float
    precision: float
    specificity: float
    predicted_ml: float
    reference_ml: float
    false_positive_ml: float
    predicted_empty: bool
    reference_empty: bool
    pixels: CasePixels

    @property
    def volume_difference_ml(self) -> float:
        """Predicted less reference."""
        return self.predicted_ml - self.reference_ml

    @property
    def missed(self) -> bool:
        """True for a total miss: the reference has the region, and not one voxel of it was found."""
        return not self.reference_empty and self.dice == 0


@dataclass(frozen=True)
class CaseScores:
    """The regions of one case that both label maps can show; the others are named in ``not_assessable``.

    ``lesions`` are the lesion-wise scores of what the rules score, when they were asked for and the grid has a size.
    """

    regions: Mapping[str, RegionScores]
    not_assessable: tuple[Region, ...] = ()
    lesions: Mapping[str, LesionScores] = field(default_factory=dict)


def score_case(
    predicted: LabelMap,
    reference: LabelMap,
    rules: LesionRules | None = None,
    cavities: tuple[Mask, Mask] | None = None,
) -> CaseScores:
    """Compare two label maps on one grid; ``GridMismatch`` when their shapes or positions differ.

    With ``rules`` also lesion by lesion. ``cavities`` are the resection cavities of both, (I, J, K) bool.
    """
    if not predicted.grid.same_as(reference.grid):
        raise GridMismatch(
            f"prediction and reference must share one grid; the reference {reference.grid.difference(predicted.grid)}; "
            f"{_way_on(predicted.grid, reference.grid)}"
        )
    shown = predicted.assessable & reference.assessable
    ours, theirs = ({str(r): side.region(r) for r in Region if r in shown} for side in (predicted, reference))
    if cavities is not None:
        ours[CAVITY], theirs[CAVITY] = cavities
    scores = {name: _score_region(ours[name], theirs[name], predicted.grid) for name in ours}
    lesions = {} if rules is None else _score_lesions(ours, theirs, predicted.grid, rules)
    return CaseScores(scores, tuple(region for region in Region if region not in shown), lesions)


def _way_on(predicted: Grid, reference: Grid) -> str:
    """What to do about two grids, first of all without resampling."""
    if predicted.offset_in(reference) is None:
        return "resample the prediction to the grid of the reference"
    for name, part, whole in (("reference", reference, predicted), ("prediction", predicted, reference)):
        at = part.offset_in(whole) or (-1, -1, -1)
        if all(0 <= first <= size - own for first, own, size in zip(at, part.shape, whole.shape, strict=True)):
            return f"the {name} was cropped: pad it with 0, its first voxel is {at} of the other"
    return "both were cropped: pad them with 0 to the grid of the scan"


def _score_lesions(
    ours: dict[str, Mask], theirs: dict[str, Mask], grid: Grid, rules: LesionRules
) -> dict[str, LesionScores]:
    if grid.spacing is None or not ours.keys() & rules.regions.keys():
        return {}
    found = score_lesions(_with_tissues(ours, rules), _with_tissues(theirs, rules), grid.spacing, rules)
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


def _with_tissues(masks: dict[str, Mask], rules: LesionRules) -> dict[str, Mask]:
    """Add the tissues by which the rules of 2024 join lesions; pediatric ones cannot be told from nested regions."""
    if "NETC" not in rules.regions or "CC" in rules.regions or not masks.keys() >= set(Region):
        return masks
    return masks_from_regions(masks[Region.WT], masks[Region.TC], masks[Region.ET], masks.get(CAVITY))


def _place(name: str) -> int:
    order = [str(region) for region in Region]
    return order.index(name) if name in order else len(order)


def _score_region(predicted: Mask, reference: Mask, grid: Grid) -> RegionScores:
    voxel_ml = UNDEFINED if grid.voxel_ml is None else grid.voxel_ml
    # Everything outside the box is empty in both; specificity and slices alone look at it.
    box = bounding_box(predicted | reference) or _NOWHERE
    ours, theirs = predicted[box], reference[box]
    predicted_ml, reference_ml = (int(np.count_nonzero(mask)) * voxel_ml for mask in (ours, theirs))
    reference_empty = not theirs.any()
    spacing = grid.spacing
    apart = None if spacing is None else surface_distances(ours, theirs, spacing)
    near, nearer = (UNDEFINED if apart is None else apart.surface_dice(limit) for limit in NSD_MM)
    return RegionScores(
        dice=dice(ours, theirs),
        iou=iou(ours, theirs),
        hd95_mm=UNDEFINED if spacing is None else hd95_mm(ours, theirs, spacing),
        nsd_1mm=near,
        nsd_2mm=nearer,
        sensitivity=sensitivity(ours, theirs),
        precision=precision(ours, theirs),
        specificity=specificity(predicted, reference),
        predicted_ml=predicted_ml,
        reference_ml=reference_ml,
        false_positive_ml=predicted_ml if reference_empty else UNDEFINED,
        predicted_empty=not ours.any(),
        reference_empty=reference_empty,
        pixels=case_pixels(predicted, reference, grid.voxel_ml),
    )
