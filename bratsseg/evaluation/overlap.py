"""How much two regions overlap, by voxel counts. Each empty case is stated once, here.

Dice: Dice 1945, doi:10.2307/1932409. The rule for empty regions is that of the BraTS challenge since 2021 (reference
code: ``metrics.py`` of rachitsaluja/BraTS-2023-Metrics); MONAI's ``DiceMetric`` agrees with ``ignore_empty=False``.
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


def sensitivity(predicted: Mask, reference: Mask) -> float:
    """|P ∩ R| / |R|, the share of the reference that was found. NaN when the reference is empty."""
    return _ratio(_shared(predicted, reference), int(np.count_nonzero(reference)))


def precision(predicted: Mask, reference: Mask) -> float:
    """|P ∩ R| / |P|, the share of the prediction that is right. NaN when the prediction is empty."""
    return _ratio(_shared(predicted, reference), int(np.count_nonzero(predicted)))


def _shared(predicted: Mask, reference: Mask) -> int:
    if predicted.shape != reference.shape:
        raise ValueError(f"masks must have one shape, were {predicted.shape} and {reference.shape}")
    return int(np.count_nonzero(predicted & reference))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else UNDEFINED
