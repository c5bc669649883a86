"""BraTS lesion-wise scores, 2023 and 2024: each lesion counts once, whatever its size, and so does each false one.

Parts of the truth whose dilated forms touch are one lesion. Every predicted lesion that reaches into the dilated form
is matched, and the union of the matched is compared with the lesion. A missed lesion has Dice 0 and a penalty as HD95,
and so has every predicted lesion that matches none; the score of a region is the mean over truth lesions above a
smallest volume and false lesions.

Paper: Moawad et al. 2023, arXiv 2306.00838 (metastases), whose scheme all BraTS challenges took over in 2023.
Reference code: see ``lesion_rules``. Equal to it on 200 committed pairs; what that rests on, and where it surprises:

- Nothing to score (no truth lesion above the smallest volume, no false lesion): Dice 1, HD95 0, NSD 1. So a truth of
  one small lesion that was missed scores 1.
- Truth empty, prediction not: 0 and the penalty. Prediction empty, truth not: 0 and the penalty.
- A predicted lesion that reaches only truth lesions too small to count is neither found nor false.
- A predicted lesion that reaches two truth lesions is compared with both, whole each time.
- A false lesion is never too small, except that the 2024 rules remove small predicted lesions first.
- HD95 is by surface area at voxel corners (``surface_distance``), so it differs from ``hd95_mm``.
- The smallest volume is in mm³ for the truth, in voxels for the prediction, and a prediction's parts are weighed
  before tissues join them, the truth's after. So in 2024 a prediction equal to the truth can miss small lesions.
- The scripts' own ``Legacy_…`` columns are not computed here. Those of GLI, PED, SSA and MET 2024 are wrong when there
  is more than one lesion: numbered lesions go where a mask of 0 and 1 is meant.
- A truth that fills the whole array makes the 2024 scripts overlook its first lesion when joining tissues; not here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bratsseg.evaluation.lesion_parts import Labels, Lesions, joined, merged_parts, parts, without_small
from bratsseg.evaluation.lesion_rules import LesionRules
from bratsseg.evaluation.surface_distance import surface_distances, voxel_nsd
from bratsseg.study.brain import bounding_box
from bratsseg.study.overlap import UNDEFINED, Mask
from bratsseg.study.volume import Box

TOLERANCES_MM = (0.5, 1.0)
LesionKind = Literal["found", "missed", "false_positive"]


@dataclass(frozen=True)
class Lesion:
    """One row: a truth lesion, or a predicted one that matches none. NSD is NaN where the rules do not ask for it."""

    region: str
    number: int
    """Of the truth lesion, from 1; of the predicted one for a false positive."""
    kind: LesionKind
    counted: bool
    """False for a truth lesion too small to count."""
    volume_mm3: float
    """Of the truth lesion; of the predicted one for a false positive."""
    dice: float
    hd95_mm: float
    nsd_05mm: float
    nsd_10mm: float
    matched: tuple[int, ...]
    """Numbers of the predicted lesions compared with this one."""


@dataclass(frozen=True)
class LesionScores:
    """One region of one case; counts are of counted lesions, ``ignored`` of those too small."""

    dice: float
    hd95_mm: float
    nsd_05mm: float
    nsd_10mm: float
    found: int
    missed: int
    false_positives: int
    ignored: int
    lesions: tuple[Lesion, ...]


LESION_COLUMNS = (
    "region",
    "lesion",
    "kind",
    "counted",
    "volume_mm3",
    "dice",
    "hd95_mm",
    "nsd_05mm",
    "nsd_10mm",
    "matched",
)


def lesion_cells(lesion: Lesion) -> tuple[str, ...]:
    """A row of a table under ``LESION_COLUMNS``; an NSD that the rules do not ask for is empty."""
    numbers = (lesion.volume_mm3, lesion.dice, lesion.hd95_mm, lesion.nsd_05mm, lesion.nsd_10mm)
    shown = ("" if math.isnan(number) else f"{number:.6g}" for number in numbers)
    counted = "yes" if lesion.counted else "no"
    return (lesion.region, str(lesion.number), lesion.kind, counted, *shown, " ".join(map(str, lesion.matched)))


def masks_from_regions(whole: Mask, core: Mask, enhancing: Mask, cavity: Mask | None = None) -> dict[str, Mask]:
    """Nested regions → the regions and tissues of GLI, SSA and MET, whichever dialect they were read from."""
    masks = {"WT": whole, "TC": core, "ET": enhancing, "NETC": core & ~enhancing, "SNFH": whole & ~core}
    return masks if cavity is None else masks | {"RC": cavity}


def score_lesions(
    predicted: Mapping[str, Mask], reference: Mapping[str, Mask], spacing: Sequence[float], rules: LesionRules
) -> dict[str, LesionScores]:
    """Score every region of ``rules`` that both sides have; spacing in mm along (I, J, K).

    Other regions are passed over, so a tissue that joins lesions and is on neither side joins none.
    """
    shown = [name for name in rules.regions if name in predicted and name in reference]
    shapes = {side[name].shape for side in (predicted, reference) for name in shown}
    if len(shapes) != 1:
        raise ValueError(f"masks must be there and have one shape, were {sorted(shapes) or 'none'}")
    shape = shapes.pop()
    box = _box([side[name] for side in (predicted, reference) for name in shown], rules, shape)
    ours = _lesions({name: predicted[name][box] for name in shown}, rules, predicted=True)
    theirs = _lesions({name: reference[name][box] for name in shown}, rules, predicted=False)
    penalty = _penalty(rules, shape, spacing)
    return {
        name: _score_region(
            ours[name], theirs[name], _Terms(name, spacing, rule.smallest_mm3, penalty, rules.surface_dice)
        )
        for name, rule in rules.regions.items()
        if name in shown and rule.scored
    }


def _box(masks: list[Mask], rules: LesionRules, shape: tuple[int, ...]) -> Box:
    """Around everything and its dilation, within the array: nothing outside it matters."""
    box = bounding_box(np.logical_or.reduce(masks)) or (slice(0, 1),) * 3
    margin = max(rules.dilation(name) for name in rules.regions)
    i, j, k = (
        slice(max(part.start - margin, 0), min(part.stop + margin, size)) for part, size in zip(box, shape, strict=True)
    )
    return i, j, k


def _lesions(masks: dict[str, Mask], rules: LesionRules, predicted: bool) -> dict[str, Lesions]:
    if predicted and not rules.merge_predictions:
        return {name: parts(mask) for name, mask in masks.items()}
    single = {name: merged_parts(mask, rules.dilation(name)) for name, mask in masks.items()}
    if predicted:
        single = {name: without_small(found, rules.regions[name].smallest_voxels) for name, found in single.items()}
    others = {name: [single[other] for other in rules.regions[name].joined_by if other in single] for name in single}
    return {name: joined(found, others[name]) if others[name] else found for name, found in single.items()}


def _penalty(rules: LesionRules, shape: tuple[int, ...], spacing: Sequence[float]) -> float:
    if rules.penalty_mm is not None:
        return rules.penalty_mm
    return math.hypot(*(shape if rules.official_quirks else np.multiply(shape, spacing)))


@dataclass(frozen=True)
class _Terms:
    """What the scores of one region of one case depend on beside its masks."""

    region: str
    spacing: Sequence[float]
    smallest_mm3: float
    penalty_mm: float
    surface_dice: bool


def _score_region(ours: Lesions, theirs: Lesions, terms: _Terms) -> LesionScores:
    truth = tuple(_truth_rows(ours, theirs, terms))
    known = {number for lesion in truth for number in lesion.matched}
    nsd = 0.0 if terms.surface_dice else UNDEFINED
    sizes = _volumes(ours.labels, terms.spacing)
    extra = tuple(
        Lesion(terms.region, number, "false_positive", True, sizes[number], 0.0, terms.penalty_mm, nsd, nsd, (number,))
        for number in ours.numbers.tolist()
        if number not in known
    )
    counted = [lesion for lesion in truth if lesion.counted]
    total = len(counted) + len(extra)
    missed = sum(lesion.kind == "missed" for lesion in counted)
    nothing = {"dice": 1.0, "hd95_mm": 0.0, "nsd_05mm": nsd + 1, "nsd_10mm": nsd + 1}
    means = (
        {name: sum(getattr(row, name) for row in (*counted, *extra)) / total for name in nothing} if total else nothing
    )
    return LesionScores(
        **means,
        found=len(counted) - missed,
        missed=missed,
        false_positives=len(extra),
        ignored=len(truth) - len(counted),
        lesions=(*truth, *extra),
    )


def _truth_rows(ours: Lesions, theirs: Lesions, terms: _Terms) -> Iterator[Lesion]:
    reached = _meetings(theirs.grown, ours.labels)
    sizes = _volumes(theirs.labels, terms.spacing)
    boxes, other_boxes = (ndimage.find_objects(lesions.labels) for lesions in (theirs, ours))
    nsd = 0.0 if terms.surface_dice else UNDEFINED
    for number in theirs.numbers.tolist():
        matched = tuple((np.flatnonzero(reached[number, 1:]) + 1).tolist())
        kind: LesionKind = "found" if matched else "missed"
        scores = (0.0, terms.penalty_mm, nsd, nsd)
        if matched:
            box = _union([boxes[number - 1], *(other_boxes[other - 1] for other in matched)])
            scores = _compare(np.isin(ours.labels[box], matched), theirs.labels[box] == number, terms)
        counted = sizes[number] > terms.smallest_mm3
        yield Lesion(terms.region, number, kind, counted, sizes[number], *scores, matched)


def _compare(predicted: Mask, reference: Mask, terms: _Terms) -> tuple[float, float, float, float]:
    """Dice, HD95 in mm and the two NSDs of one lesion and what was matched to it; neither is empty."""
    both = int(np.count_nonzero(predicted & reference))
    dice = 2.0 * both / (int(np.count_nonzero(predicted)) + int(np.count_nonzero(reference)))
    hd95 = surface_distances(predicted, reference, terms.spacing).hausdorff_mm()
    if not terms.surface_dice:
        return dice, hd95, UNDEFINED, UNDEFINED
    half, one = voxel_nsd(predicted, reference, terms.spacing, TOLERANCES_MM)
    return dice, hd95, half, one


def _meetings(grown: Labels, labels: Labels) -> NDArray[np.intp]:
    """How many voxels each number of ``grown`` (rows) shares with each of ``labels`` (columns)."""
    rows, columns = int(grown.max(initial=0)) + 1, int(labels.max(initial=0)) + 1
    counts = np.bincount(grown.ravel() * np.intp(columns) + labels.ravel(), minlength=rows * columns)
    return counts.reshape(rows, columns)


def _volumes(labels: Labels, spacing: Sequence[float]) -> list[float]:
    """mm³ by number. Multiplied in this order so that a volume equal to the smallest one is so to the last bit."""
    i, j, k = spacing
    return [count * i * j * k for count in np.bincount(labels.ravel()).tolist()]


def _union(boxes: list[tuple[slice, ...]]) -> Box:
    i, j, k = (
        slice(min(part.start for part in along), max(part.stop for part in along)) for along in zip(*boxes, strict=True)
    )
    return i, j, k
