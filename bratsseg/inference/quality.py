"""Quality figures of one segmentation, from its own probabilities and from answers with a modality left out.

``predict_dice``: the Soft Dice Confidence, 2 Σ p m / (Σ p + Σ m) over the brain for mask m and probabilities p. It
approximates the expected Dice where voxels are independent given the scan (Borges et al., arXiv 2402.10665).
``boundary_entropy``: the mean binary entropy, which Mehrtash et al. (doi:10.1109/TMI.2020.3006437) average over the
foreground, here over a band about the surface, so that it does not fall as a tumour grows.
``modality_drop_dice``: Dice between the answer from all modalities and the answers that lack one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bratsseg.study.brain import bounding_box
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.overlap import dice
from bratsseg.study.quality import Answer, ModalityDrop, RegionQuality
from bratsseg.study.regions import Region
from bratsseg.tensors.transforms import expand_box

BAND_VOXELS = 2
"""Half the width of the band about the surface: so many steps through faces, inwards and outwards."""
OVERLOOKED_ML = 0.5
"""Where nothing was marked, the volume whose probability is looked at: the smallest tumour that models report.

Over 45 empty masks of synthetic patients, 35 of them (.78) rightly empty, it gave the chance of that as .89 in the mean
with a Brier score of .24; the single most probable voxel gave .67 and .24, independent voxels .05 and .70. It is taken
for what it means: too few masks were wrongly empty to tell such rules apart.
"""
FAINT = 0.01
"""Probabilities below it count as 0 where the most probable are looked for, so as to sort few."""
_DIGITS = 4
Probability = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class OverTheBrain:
    """What the figures of a region need of its probability over the whole brain, wherever that lies.

    ``total`` is the sum; ``highest(n)`` gives the n highest values above ``FAINT``, fewer where there are not as many.
    """

    total: float
    highest: Callable[[int], Probability]

    @classmethod
    def of(cls, probability: Probability) -> OverTheBrain:
        """From all of it, (I, J, K)."""

        def highest(count: int) -> Probability:
            values = probability[probability > FAINT]
            return values if values.size <= count else np.partition(values, values.size - count)[-count:]

        return cls(float(probability.sum(dtype=np.float64)), highest)


def assess(
    probabilities: Mapping[Region, Probability],
    masks: Mapping[Region, Mask],
    inside: Mask,
    voxel_ml: float | None,
    over_the_brain: Mapping[Region, OverTheBrain] | None = None,
) -> dict[Region, RegionQuality]:
    """The figures that need no further pass, of every region; one without ``probabilities`` is not assessable.

    ``probabilities`` and ``masks`` are (I, J, K), 0 outside the brain, which is ``inside`` (I, J, K) bool. A voxel of a
    picture has no ``voxel_ml``. All three may be cut to a box around every mask and ``BAND_VOXELS`` more; then
    ``over_the_brain`` says of each region what the box leaves out.
    """
    whole = over_the_brain or {}
    return {
        region: _figures(probabilities[region], masks[region], inside, voxel_ml, whole.get(region))
        if region in probabilities
        else RegionQuality(answer=Answer.NOT_ASSESSABLE)
        for region in Region
    }


def _figures(
    probability: Probability, mask: Mask, inside: Mask, voxel_ml: float | None, whole: OverTheBrain | None
) -> RegionQuality:
    expected = predict_dice(probability, mask, voxel_ml, whole)
    entropy = boundary_entropy(probability, mask, inside)
    return RegionQuality(
        answer=Answer.NONE_FOUND if entropy is None else Answer.FOUND,
        predicted_dice=round(expected, _DIGITS),
        boundary_entropy=None if entropy is None else round(entropy, _DIGITS),
    )


def predict_dice(
    probability: Probability, mask: Mask, voxel_ml: float | None, whole: OverTheBrain | None = None
) -> float:
    """The Dice that ``mask`` can be expected to have, 0 to 1; both (I, J, K), probability 0 outside the brain.

    An empty mask has Dice 1 where the truth is empty too and 0 elsewhere: its expected Dice is the probability that
    nothing is there. That is not the product over all voxels, which rise and fall together: it is taken as 1 less the
    mean probability of the most probable ``OVERLOOKED_ML``, wherever they lie; of a picture, of its one voxel.
    ``whole`` is given where the two hold a part of the brain only.
    """
    marked, whole = int(np.count_nonzero(mask)), whole or OverTheBrain.of(probability)
    if marked == 0:
        count = 1 if voxel_ml is None else max(1, round(OVERLOOKED_ML / voxel_ml))
        return 1.0 - float(whole.highest(count).sum(dtype=np.float64)) / count
    return 2 * float(probability[mask].sum(dtype=np.float64)) / (whole.total + marked)


def boundary_entropy(probability: Probability, mask: Mask, inside: Mask) -> float | None:
    """Mean binary entropy in bits, 0 to 1, of the brain's voxels near the surface of ``mask``; None where it is empty.

    All are (I, J, K). The edge of the array is no surface: a tumour may go on beyond it.
    """
    box = bounding_box(mask)
    if box is None:
        return None
    around = expand_box(box, mask.shape, BAND_VOXELS)
    values = probability[around][_band(mask[around]) & inside[around]]
    return float(_entropy(values).mean()) if values.size else 0.0


def _band(mask: Mask) -> Mask:
    """The voxels of (I, J, K) that ``BAND_VOXELS`` steps take across the surface, from either side."""
    outwards, inwards = mask, ~mask
    for _ in range(BAND_VOXELS):
        outwards, inwards = _with_neighbours(outwards), _with_neighbours(inwards)
    return outwards & inwards


def _with_neighbours(mask: Mask) -> Mask:
    """``mask`` and all voxels that share a face with it."""
    grown = mask.copy()
    for axis in range(3):
        here, there = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
        there[1:] |= here[:-1]
        there[:-1] |= here[1:]
    return grown


def _entropy(probability: Probability) -> NDArray[np.float64]:
    """Bits of a coin with this probability; certain ones have 0."""
    p = probability.astype(np.float64)
    q = 1.0 - p
    terms = (part * np.log2(part, out=np.zeros_like(part), where=part > 0) for part in (p, q))
    return -sum(terms, start=np.zeros_like(p))


def modality_drop(answer: LabelMap, without: Mapping[Modality, LabelMap]) -> dict[Region, ModalityDrop]:
    """How far ``answer`` agrees with the answers ``without`` one modality each, on one grid.

    A region is compared where both answers could assess it, and left out where no such pair is.
    """
    found = {}
    for region in (region for region in Region if region in answer.assessable):
        mask = answer.region(region)
        agreements = {
            modality: dice(mask, other.region(region))
            for modality, other in without.items()
            if region in other.assessable
        }
        if agreements:
            worst = min(agreements, key=lambda modality: agreements[modality])
            mean = sum(agreements.values()) / len(agreements)
            found[region] = ModalityDrop(
                mean=round(mean, _DIGITS), worst=round(agreements[worst], _DIGITS), without=worst
            )
    return found
