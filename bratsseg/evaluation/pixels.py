"""Scores over pixels instead of patients, under fixed names, so that rows of different papers can be compared.

Many papers on slices pool all pixels of a test set, or only those of slices that show tumour, and call either of them
Dice. Here each has its name, and beside each stands what a program that never finds anything would get:

- ``pooled_dice``, ``pooled_iou``, ``pooled_precision``, ``pooled_recall``, ``pooled_specificity``: from one confusion
  table over all pixels of all cases. Large tumours count for more than small ones.
- the same with ``@tumour_slices``: over the slices whose reference shows tumour. False tumour elsewhere is not seen.
- ``slice_dice@tumour``: the mean over those slices of the Dice of each.
- ``empty_slices_fp_rate``, ``empty_slices_fp_ml``: of the slices without tumour the share with any predicted, and the
  volume predicted there.

Definitions: Taha & Hanbury 2015, doi:10.1186/s12880-015-0068-x; reference code: ``sklearn.metrics`` on flattened masks,
but for the empty cases. Those: Dice and IoU of nothing against nothing are 1; precision of no predicted pixel, recall
of no tumour pixel, specificity of no other pixel, and any mean over no slice are None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bratsseg.config import Config
from bratsseg.study.overlap import Mask, dice

TUMOUR_SLICES = "@tumour_slices"


class Confusion(Config):
    """How many pixels (voxels) were found, invented, missed and rightly left."""

    true_positive: int = 0
    """Tumour in both."""
    false_positive: int = 0
    """Tumour in the prediction only."""
    false_negative: int = 0
    """Tumour in the reference only."""
    true_negative: int = 0
    """Tumour in neither."""

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(**{name: value + getattr(other, name) for name, value in self})

    @property
    def of_background(self) -> Confusion:
        """What a prediction of nothing would have had."""
        tumour = self.true_positive + self.false_negative
        return Confusion(false_negative=tumour, true_negative=self.true_negative + self.false_positive)

    def scores(self) -> dict[str, float | None]:
        """Dice, IoU, precision, recall and specificity by their pooled names."""
        found, wrong = self.true_positive, self.false_positive + self.false_negative
        return {
            "pooled_dice": 2 * found / (2 * found + wrong) if found + wrong else 1.0,
            "pooled_iou": found / (found + wrong) if found + wrong else 1.0,
            "pooled_precision": _share(found, self.false_positive),
            "pooled_recall": _share(found, self.false_negative),
            "pooled_specificity": _share(self.true_negative, self.false_positive),
        }


@dataclass(frozen=True)
class CasePixels:
    """The pixels of one case, all together and slice by slice."""

    everywhere: Confusion
    tumour_slices: Confusion
    slice_dice: tuple[float, ...]
    """Of each slice whose reference shows tumour."""
    empty_slices: int
    empty_slices_marked: int
    """Slices without tumour on which some was predicted."""
    empty_slices_ml: float | None
    """mL predicted on them; None for a picture, whose pixels have no size."""


class PixelReport(Config):
    """All cases in one table."""

    cases: int
    """Cases pooled."""
    slices: int
    """Slices pooled."""
    tumour_slices: int
    """Slices whose reference shows tumour."""
    everywhere: Confusion
    """Pixels of all slices."""
    on_tumour_slices: Confusion
    """Pixels of slices whose reference shows tumour."""
    scores: dict[str, float | None]
    """By fixed name."""
    all_background: dict[str, float | None]
    """What a prediction of nothing scores, by the same names."""


def count_pixels(predicted: Mask, reference: Mask) -> Confusion:
    """The confusion table of two bool arrays of one shape."""
    if predicted.shape != reference.shape:
        raise ValueError(f"masks must have one shape, were {predicted.shape} and {reference.shape}")
    both = int(np.count_nonzero(predicted & reference))
    ours, theirs = int(np.count_nonzero(predicted)), int(np.count_nonzero(reference))
    return Confusion(
        true_positive=both,
        false_positive=ours - both,
        false_negative=theirs - both,
        true_negative=predicted.size - ours - theirs + both,
    )


def case_pixels(predicted: Mask, reference: Mask, voxel_ml: float | None, axis: int = 2) -> CasePixels:
    """Count one case's (I, J, K) bool arrays; slices lie across ``axis``, ``voxel_ml`` is None for a picture."""
    everywhere = count_pixels(predicted, reference)
    ours, theirs = np.moveaxis(predicted, axis, 0), np.moveaxis(reference, axis, 0)
    shows = theirs.any(axis=(1, 2))
    marked = np.count_nonzero(ours[~shows], axis=(1, 2))
    return CasePixels(
        everywhere=everywhere,
        tumour_slices=count_pixels(ours[shows], theirs[shows]),
        slice_dice=tuple(dice(ours[place], theirs[place]) for place in np.flatnonzero(shows)),
        empty_slices=int(np.count_nonzero(~shows)),
        empty_slices_marked=int(np.count_nonzero(marked)),
        empty_slices_ml=None if voxel_ml is None else int(marked.sum()) * voxel_ml,
    )


def pool(cases: Iterable[CasePixels]) -> PixelReport:
    """All cases as one; mL is None when any case has none."""
    pooled = list(cases)
    everywhere = sum((case.everywhere for case in pooled), Confusion())
    there = sum((case.tumour_slices for case in pooled), Confusion())
    each = [value for case in pooled for value in case.slice_dice]
    empty = sum(case.empty_slices for case in pooled)
    marked = sum(case.empty_slices_marked for case in pooled)
    volumes = [case.empty_slices_ml for case in pooled]
    ml = None if None in volumes else float(sum(volume for volume in volumes if volume is not None))
    slice_dice = float(np.mean(each)) if each else None
    return PixelReport(
        cases=len(pooled),
        slices=empty + len(each),
        tumour_slices=len(each),
        everywhere=everywhere,
        on_tumour_slices=there,
        scores=_named(everywhere, there, slice_dice, _share(marked, empty - marked), ml),
        all_background=_named(
            everywhere.of_background,
            there.of_background,
            0.0 if each else None,
            0.0 if empty else None,
            None if ml is None else 0.0,
        ),
    )


def _named(
    everywhere: Confusion, there: Confusion, slice_dice: float | None, fp_rate: float | None, fp_ml: float | None
) -> dict[str, float | None]:
    return {
        **everywhere.scores(),
        **{name + TUMOUR_SLICES: score for name, score in there.scores().items()},
        "slice_dice@tumour": slice_dice,
        "empty_slices_fp_rate": fp_rate,
        "empty_slices_fp_ml": fp_ml,
    }


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
