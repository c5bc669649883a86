"""From probabilities to nested regions; every rule is a named field of the released model."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bratsseg.config import Config
from bratsseg.study.brain import bounding_box, reached_from_border
from bratsseg.study.regions import Region


class Decoding(Config):
    """Thresholds and component rules. Millilitre rules do not apply to pictures, which have no size."""

    thresholds: dict[Region, float] = Field(default_factory=lambda: dict.fromkeys(Region, 0.5))
    """A voxel belongs to a region when its probability exceeds this."""
    wt_border: float | None = None
    """Hysteresis for faint tumours: a part of WT that holds voxels above the threshold of WT goes on over the voxels
    connected to them that exceed this lower one (Canny, doi:10.1109/TPAMI.1986.4767851). None: it ends at the
    threshold."""
    wt_faint: float = 0.8
    """Under that rule, only a part goes on whose most certain tenth above the threshold of WT has a lower mean
    probability than this; a surer one ends at the threshold. 1: every part goes on."""
    wt_core_ml: float = 0.0
    """Under that rule, the volume above the threshold of WT that a part must hold; one voxel at least."""
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
    smallest_et_part_ml: float = 0.0
    """A connected part of ET below this volume is taken back into the core."""
    et_confidence: float = 0.6
    """ET whose most certain tenth has a lower mean probability is taken back into the core."""
    fill_holes: bool = True
    """Cavities that WT encloses on all sides belong to WT."""

    @model_validator(mode="after")
    def _below(self) -> Self:
        if self.wt_border is not None and not self.wt_border < self.thresholds[Region.WT]:
            raise ValueError(f"wt_border must be below the threshold of WT, {self.thresholds[Region.WT]:g}")
        return self


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
        enhancing = _without_specks(enhancing, voxel_ml, rules)
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
    parts = _parts_of_whole(probability, voxel_ml, rules)
    keep = _parts_to_keep(parts, probability, voxel_ml, rules)
    whole: NDArray[np.bool_] = keep[parts]
    box = bounding_box(whole) if rules.fill_holes else None
    if box is not None:
        around = np.pad(whole[box], 1)
        whole[box] = ~reached_from_border(~around)[1:-1, 1:-1, 1:-1]
    return whole


def _parts_of_whole(
    probability: NDArray[np.float32], voxel_ml: float | None, rules: Decoding
) -> NDArray[np.unsignedinteger]:
    """The number of the part that each voxel is of, 0 for none."""
    threshold = rules.thresholds[Region.WT]
    if rules.wt_border is None:
        return _numbered(probability > threshold)
    parts, core = _numbered(probability > rules.wt_border), probability > threshold
    if not core.any():
        return np.zeros_like(parts)
    sizes = np.bincount(parts[core], minlength=int(parts.max()) + 1)
    goes_on, stays = np.zeros(sizes.size, dtype=bool), sizes >= _voxels(rules.wt_core_ml, voxel_ml)
    for n, values in enumerate(_by_part(parts[core], probability[core], sizes), start=1):
        goes_on[n] = stays[n] and (rules.wt_faint >= 1 or _certainty(values) < rules.wt_faint)
    return _numbered(goes_on[parts] | (stays[parts] & core))


def _without_specks(enhancing: NDArray[np.bool_], voxel_ml: float | None, rules: Decoding) -> NDArray[np.bool_]:
    """ET less its small parts."""
    box = bounding_box(enhancing) if rules.smallest_et_part_ml > 0 else None
    if box is None:
        return enhancing
    parts = _numbered(enhancing[box])
    large = np.bincount(parts.ravel()) >= _voxels(rules.smallest_et_part_ml, voxel_ml)
    large[0] = False
    kept = np.zeros_like(enhancing)
    kept[box] = large[parts]
    return kept


def _numbered(found: NDArray[np.bool_]) -> NDArray[np.unsignedinteger]:
    """Voxels that touch, also at a corner, have one number; others 0."""
    import cc3d  # noqa: PLC0415 - absent on machines that only train

    parts: NDArray[np.unsignedinteger] = cc3d.connected_components(found, connectivity=26)
    return parts


def _voxels(volume_ml: float, voxel_ml: float | None) -> float:
    """How many voxels make up a volume, one at least; in a picture, which has no size, one."""
    return 1.0 if voxel_ml is None else max(1.0, volume_ml / voxel_ml)


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
    smallest = _voxels(rules.smallest_wt_ml, voxel_ml)
    by_part = _by_part(numbers, values, sizes)
    candidates = [n for n in range(1, count) if sizes[n] >= smallest]
    certain = {n: _certainty(by_part[n - 1]) >= rules.confidence for n in candidates}
    best = max((scores[n] for n, sure in certain.items() if sure), default=0.0)
    for n, sure in certain.items():
        keep[n] = sure and scores[n] >= rules.score_share * best
    return keep


def _by_part(
    numbers: NDArray[np.unsignedinteger], values: NDArray[np.float32], sizes: NDArray[np.intp]
) -> list[NDArray[np.float32]]:
    """The values of each part, from number 1 on; ``sizes`` counts them by number, none of number 0."""
    return np.split(values[np.argsort(numbers, kind="stable")], np.cumsum(sizes[1:-1]))


def _credible(values: NDArray[np.float32], voxel_ml: float | None, rules: Decoding) -> bool:
    if values.size == 0 or (voxel_ml is not None and values.size * voxel_ml < rules.smallest_et_ml):
        return False
    return _certainty(values) >= rules.et_confidence


def _certainty(values: NDArray[np.float32]) -> float:
    """Mean of the most certain tenth."""
    top = max(1, values.size // 10)
    return float(np.partition(values, values.size - top)[-top:].mean())
