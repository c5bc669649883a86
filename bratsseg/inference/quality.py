"""Quality figures of one segmentation, from its own probabilities and from answers with a modality left out.

``predicted_dice``: the Soft Dice Confidence, 2 Σ p m / (Σ p + Σ m) over the brain for mask m and probabilities p. It
approximates the expected Dice where voxels are independent given the scan (Borges et al., arXiv 2402.10665). A model
can keep a ``DicePredictor``, which makes a better one of it and of three more figures.
``missed_chance``: where nothing was marked, the mean probability of the most probable ``OVERLOOKED_ML``.
``boundary_entropy``: the mean binary entropy, which Mehrtash et al. (doi:10.1109/TMI.2020.3006437) average over the
foreground, here over a band about the surface, so that it does not fall as a tumour grows.
``modality_drop_dice``: Dice between the answer from all modalities and the answers that lack one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bratsseg.config import Config
from bratsseg.study.brain import bounding_box
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.overlap import dice
from bratsseg.study.quality import Answer, ModalityDrop, RegionQuality, ReviewRule
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
UNLIKELY, LIKELY = 0.2, 0.8
"""Probabilities between which a voxel is in doubt."""
FAINT = 0.01
"""Probabilities below it count as 0 where the most probable are looked for, so as to sort few."""
_DIGITS = 4
Probability = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class OverTheBrain:
    """What the figures of a region need of its probability over the whole brain, wherever that lies.

    ``total`` is the sum; ``possible`` counts voxels above ``UNLIKELY``; ``highest(n)`` gives the n highest values above
    ``FAINT``, fewer where there are not as many.
    """

    total: float
    possible: int
    highest: Callable[[int], Probability]

    @classmethod
    def of(cls, probability: Probability) -> OverTheBrain:
        """From all of it, (I, J, K)."""

        def highest(count: int) -> Probability:
            values = probability[probability > FAINT]
            return values if values.size <= count else np.partition(values, values.size - count)[-count:]

        possible = int(np.count_nonzero(probability > UNLIKELY))
        return cls(float(probability.sum(dtype=np.float64)), possible, highest)


class DicePredictor(Config):
    """The Dice to expect of a region as a logistic function of four figures of doubt, see ``Doubt``.

    Fitted to a model's answers for synthetic patients by ``scripts/quality.py --fit``. Each coefficient has the sign
    that more certainty never lowers the predicted Dice. As it stands it is the Soft Dice Confidence.
    """

    intercept: float = 0.0
    """Of the log-odds."""
    soft_dice: float = Field(default=1.0, ge=0)
    """For each unit of the log-odds of the Soft Dice Confidence."""
    certainty: float = Field(default=0.0, ge=0)
    """For each unit of the log-odds of the mean probability of what was marked."""
    stability: float = Field(default=0.0, ge=0)
    """For each unit of the log-odds of the stability."""
    boundary_entropy: float = Field(default=0.0, le=0)
    """For each bit of boundary entropy."""

    def predict(self, doubt: Doubt) -> float:
        """The Dice to expect, 0 to 1."""
        odds = self.intercept + self.boundary_entropy * doubt.boundary_entropy
        odds += self.soft_dice * log_odds(doubt.soft_dice)
        odds += self.certainty * log_odds(doubt.certainty) + self.stability * log_odds(doubt.stability)
        return 1.0 / (1.0 + math.exp(-odds))


class QualityRules(Config):
    """What the figures of one model are made with."""

    predictors: dict[Region, DicePredictor] = Field(default_factory=dict)
    """By region; one without has the Soft Dice Confidence for its predicted Dice."""
    review: ReviewRule = ReviewRule()
    """Which cases a reader should see before others."""


@dataclass(frozen=True)
class Doubt:
    """What the probabilities of a region say of how sure its outline is, each 0 to 1.

    ``soft_dice`` the Soft Dice Confidence; ``certainty`` the mean probability of what was marked; ``stability`` the
    share of the voxels above ``UNLIKELY`` that were marked with a probability above ``LIKELY``; ``boundary_entropy``
    in bits.
    """

    soft_dice: float
    certainty: float
    stability: float
    boundary_entropy: float


def assess(
    probabilities: Mapping[Region, Probability],
    masks: Mapping[Region, Mask],
    inside: Mask,
    voxel_ml: float | None,
    *,
    over_the_brain: Mapping[Region, OverTheBrain] | None = None,
    rules: QualityRules | None = None,
) -> dict[Region, RegionQuality]:
    """The figures that need no further pass, of every region; one without ``probabilities`` is not assessable.

    ``probabilities`` and ``masks`` are (I, J, K), 0 outside the brain, which is ``inside`` (I, J, K) bool. A voxel of a
    picture has no ``voxel_ml``. All three may be cut to a box around every mask and ``BAND_VOXELS`` more; then
    ``over_the_brain`` says of each region what the box leaves out. ``rules`` are those of the model.
    """
    rules = rules or QualityRules()
    found = {region: RegionQuality(answer=Answer.NOT_ASSESSABLE) for region in Region}
    for region, probability in probabilities.items():
        brain = OverTheBrain.of(probability) if over_the_brain is None else over_the_brain[region]
        doubt = doubt_of(probability, masks[region], inside, brain)
        if doubt is None:
            missed = round(missed_chance(brain, voxel_ml), _DIGITS)
            found[region] = RegionQuality(answer=Answer.NONE_FOUND, missed_chance=missed)
        else:
            found[region] = _of_found(doubt, rules.predictors.get(region))
    whole = found[Region.WT]
    found[Region.WT] = whole.model_copy(update={"review": rules.review.reason(whole)})
    return found


def _of_found(doubt: Doubt, predictor: DicePredictor | None) -> RegionQuality:
    expected = doubt.soft_dice if predictor is None else predictor.predict(doubt)
    return RegionQuality(
        answer=Answer.FOUND,
        predicted_dice=round(expected, _DIGITS),
        boundary_entropy=round(doubt.boundary_entropy, _DIGITS),
    )


def doubt_of(probability: Probability, mask: Mask, inside: Mask, whole: OverTheBrain | None = None) -> Doubt | None:
    """The doubt about ``mask``, None where it is empty; all (I, J, K), probability 0 outside the brain ``inside``.

    ``whole`` is given where the three hold a part of the brain only.
    """
    entropy = boundary_entropy(probability, mask, inside)
    if entropy is None:
        return None
    whole = whole or OverTheBrain.of(probability)
    marked, values = int(np.count_nonzero(mask)), probability[mask]
    within = float(values.sum(dtype=np.float64))
    return Doubt(
        soft_dice=2 * within / (whole.total + marked),
        certainty=within / marked,
        stability=min(1.0, int(np.count_nonzero(values > LIKELY)) / max(1, whole.possible)),
        boundary_entropy=entropy,
    )


def log_odds(share: float) -> float:
    """ln(p / (1 - p)) of a share, held within ±4.6 (.01 and .99) so that no single figure decides."""
    held = min(max(share, 0.01), 0.99)
    return math.log(held / (1 - held))


def missed_chance(whole: OverTheBrain, voxel_ml: float | None) -> float:
    """The chance, 0 to 1, that something is there where nothing was marked.

    That is not 1 less a product over all voxels, which rise and fall together: it is taken as the mean probability of
    the most probable ``OVERLOOKED_ML``, wherever they lie; of a picture, of its one voxel.
    """
    count = 1 if voxel_ml is None else max(1, round(OVERLOOKED_ML / voxel_ml))
    return float(whole.highest(count).sum(dtype=np.float64)) / count


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
