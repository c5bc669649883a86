"""How much two regions overlap, by voxel counts. Each empty case is stated once, here.

Dice: Dice 1945, doi:10.2307/1932409. IoU: Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x. Sensitivity, precision
and specificity: Taha & Hanbury 2015, doi:10.1186/s12880-015-0068-x. The rule for empty regions is that of the BraTS
challenge since 2021 (reference code: ``metrics.py`` of rachitsaluja/BraTS-2023-Metrics); MONAI's ``DiceMetric`` and
``MeanIoU`` agree with ``ignore_empty=False``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

UNDEFINED = float("nan")


def dice(predicted: Mask, reference: Mask) -> float:
    """2 |P ∩ R| / (|P| + |R|) of two bool arrays of one shape. Both empty: 1. One empty: 0."""
    both, total = _shared(predicted, reference), np.count_nonzero(predicted) + np.count_nonzero(reference)
    return 2.0 * both / total if total else 1.0


def iou(predicted: Mask, reference: Mask) -> float:
    """|P ∩ R| / |P ∪ R| of two bool arrays of one shape. Both empty: 1. One empty: 0."""
    both = _shared(predicted, reference)
    either = int(np.count_nonzero(predicted)) + int(np.count_nonzero(reference)) - both
    return both / either if either else 1.0


def sensitivity(predicted: Mask, reference: Mask) -> float:
    """|P ∩ R| / |R|, the share of the reference that was found. NaN when the reference is empty."""
    return _ratio(_shared(predicted, reference), int(np.count_nonzero(reference)))


def precision(predicted: Mask, reference: Mask) -> float:
    """|P ∩ R| / |P|, the share of the prediction that is right. NaN when the prediction is empty."""
    return _ratio(_shared(predicted, reference), int(np.count_nonzero(predicted)))


def specificity(predicted: Mask, reference: Mask) -> float:
    """|not P ∩ not R| / |not R| over the whole arrays, so it grows with the field of view. NaN when R is everything."""
    outside = reference.size - int(np.count_nonzero(reference))
    extra = int(np.count_nonzero(predicted)) - _shared(predicted, reference)
    return _ratio(outside - extra, outside)


def _shared(predicted: Mask, reference: Mask) -> int:
    if predicted.shape != reference.shape:
        raise ValueError(f"masks must have one shape, were {predicted.shape} and {reference.shape}")
    return int(np.count_nonzero(predicted & reference))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else UNDEFINED
