"""From probabilities to nested regions; every rule is a named field of the released model."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bratsseg.config import Config
from bratsseg.study.brain import bounding_box, reached_from_border
from bratsseg.study.regions import Region


class Decoding(Config):
    """Thresholds and component rules. Millilitre rules do not apply to pictures, which have no size."""

    thresholds: dict[Region, float] = Field(default_factory=lambda: dict.fromkeys(Region, 0.5))
    """A voxel belongs to a region when its probability exceeds this."""
    nesting: Literal["inner", "outer"] = "inner"
    """Which region yields where a smaller one leaves the larger: the smaller is cut, or the larger grows."""
    components: Literal["all", "largest", "scored"] = "scored"
    """Which parts of WT stay: all, the largest alone, or every one that scores well enough."""
    score_share: float = 0.15
    """A part stays when its score (sum of probability) reaches this share of the best part's."""
    confidence: float = 0.6
    """A part stays only when its most certain tenth has at least this mean probability of WT."""
    smallest_wt_ml: float = 0.5
    """A part of WT below this volume is dropped."""
    smallest_et_ml: float = 0.1
    """ET below this total volume is taken back into the core."""
    et_confidence: float = 0.6
    """ET whose most certain tenth has a lower mean probability is taken back into the core."""
    fill_holes: bool = True
    """Cavities that WT encloses on all sides belong to WT."""


def decode(
    probabilities: NDArray[np.float32], regions: tuple[Region, ...], voxel_ml: float | None, rules: Decoding
) -> NDArray[np.bool_]:
    """Probabilities (R, I, J, K) in the order ``regions`` → (3, I, J, K) bool in ``Region`` order, ET ⊂ TC ⊂ WT.

    Regions that the model does not know are empty, but for what nesting asks of them.
    """
    known = dict(zip(regions, probabilities, strict=True))
    if rules.nesting == "outer":
        known = _grown(known, rules)
    decoded = np.zeros((len(Region), *probabilities.shape[1:]), dtype=bool)
    whole = _whole_tumour(known[Region.WT], voxel_ml, rules)
    decoded[0] = whole
    if Region.TC in known:
        decoded[1] = whole & (known[Region.TC] > rules.thresholds[Region.TC])
    if Region.ET in known:
        enhancing = decoded[1 if Region.TC in known else 0] & (known[Region.ET] > rules.thresholds[Region.ET])
        decoded[2] = enhancing if _credible(known[Region.ET][enhancing], voxel_ml, rules) else False
        decoded[1] |= decoded[2]
    return decoded


def _grown(known: dict[Region, NDArray[np.float32]], rules: Decoding) -> dict[Region, NDArray[np.float32]]:
    """Each region at least as probable, against its threshold, as those inside it."""
    grown: dict[Region, NDArray[np.float32]] = {}
    odds: NDArray[np.float32] | None = None
    for region in reversed([region for region in Region if region in known]):
        over = known[region] - np.float32(rules.thresholds[region])
        odds = over if odds is None else np.maximum(odds, over)
        grown[region] = odds + np.float32(rules.thresholds[region])
    return grown


def _whole_tumour(probability: NDArray[np.float32], voxel_ml: float | None, rules: Decoding) -> NDArray[np.bool_]:
    found = probability > rules.thresholds[Region.WT]
    import cc3d  # noqa: PLC0415 - absent on machines that only train

    parts = cc3d.connected_components(found, connectivity=26)
    keep = _parts_to_keep(parts, probability, voxel_ml, rules)
    whole: NDArray[np.bool_] = keep[parts]
    box = bounding_box(whole) if rules.fill_holes else None
    if box is not None:
        around = np.pad(whole[box], 1)
        whole[box] = ~reached_from_border(~around)[1:-1, 1:-1, 1:-1]
    return whole


def _parts_to_keep(
    parts: NDArray[np.unsignedinteger], probability: NDArray[np.float32], voxel_ml: float | None, rules: Decoding
) -> NDArray[np.bool_]:
    """For each part number whether it stays; number 0 is the background."""
    inside = parts > 0
    numbers, values = parts[inside], probability[inside]
    count = int(parts.max()) + 1
    keep = np.zeros(count, dtype=bool)
    if count == 1:
        return keep
    sizes = np.bincount(numbers, minlength=count)
    if rules.components == "all":
        keep[1:] = True
        return keep
    if rules.components == "largest":
        keep[1 + int(sizes[1:].argmax())] = True
        return keep
    scores = np.bincount(numbers, weights=values, minlength=count)
    smallest = 1.0 if voxel_ml is None else rules.smallest_wt_ml / voxel_ml
    by_part = np.split(values[np.argsort(numbers, kind="stable")], np.cumsum(sizes[1:-1]))
    candidates = [n for n in range(1, count) if sizes[n] >= smallest]
    certain = {n: _certainty(by_part[n - 1]) >= rules.confidence for n in candidates}
    best = max((scores[n] for n, sure in certain.items() if sure), default=0.0)
    for n, sure in certain.items():
        keep[n] = sure and scores[n] >= rules.score_share * best
    return keep


def _credible(values: NDArray[np.float32], voxel_ml: float | None, rules: Decoding) -> bool:
    if values.size == 0 or (voxel_ml is not None and values.size * voxel_ml < rules.smallest_et_ml):
        return False
    return _certainty(values) >= rules.et_confidence


def _certainty(values: NDArray[np.float32]) -> float:
    """Mean of the most certain tenth."""
    top = max(1, values.size // 10)
    return float(np.partition(values, values.size - top)[-top:].mean())
