"""Quality: how far the answer for one case can be trusted. Computed in ``inference.quality``, kept in the record."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, model_validator

from bratsseg.config import Config
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region

REVIEW_BELOW = 0.8
"""The predicted Dice of the whole tumour below which a case is to be reviewed first, where its model says nothing else.

Chosen on synthetic patients, with all four modalities and with FLAIR + T1ce (86 studies): it takes 20 of them, among
these 14 of the 15 whose true Dice is below .5 and 18 of the 28 below .7. At .7 it would take 9 studies and miss 7 of
the 15, at .9 it would take 38.
"""
REVIEW_MISSED = 0.2
"""The chance of a missed tumour above which a case without one is to be reviewed first, unless its model says else."""


class Answer(StrEnum):
    """What a result says of a region."""

    FOUND = "found"
    NONE_FOUND = "none found"
    NOT_ASSESSABLE = "not assessable"


class ModalityDrop(Config):
    """How far the answer from all modalities agrees with those that lack one.

    Keys of later versions are passed over.
    """

    model_config = ConfigDict(extra="ignore")

    mean: float
    """Mean Dice over the modalities that can be left out; both empty is 1, one empty 0."""
    worst: float
    """The lowest of them."""
    without: Modality
    """The modality whose absence changes the answer most."""


class RegionQuality(Config):
    """Figures of one region; all None where it is not assessable. Keys of later versions are passed over."""

    model_config = ConfigDict(extra="ignore")

    answer: Answer
    """found, none found or not assessable."""
    predicted_dice: float | None = None
    """Dice that the model's own probabilities lead to expect of what was found, 0 to 1; None (unknown) where none was
    found: that is right or wrong, and overlaps with nothing."""
    missed_chance: float | None = None
    """Where none was found, the chance, 0 to 1, that some is there all the same; None otherwise."""
    boundary_entropy: float | None = None
    """Mean uncertainty near the surface in bits, 0 to 1; None where none was found."""
    modality_drop_dice: ModalityDrop | None = None
    """Only when asked for, and where a modality can be left out."""
    review: str | None = None
    """Of whole tumour: why a reader should see the case before others, by the rule of the model; empty where there is
    no need, None in records of earlier versions."""

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, values: Any) -> Any:
        """Earlier versions called 1 less the chance of a miss the predicted Dice of nothing."""
        if not isinstance(values, dict) or values.get("answer") != Answer.NONE_FOUND:
            return values
        expected = values.get("predicted_dice")
        if expected is None or values.get("missed_chance") is not None:
            return values
        return {**values, "predicted_dice": None, "missed_chance": round(1.0 - expected, 4)}


class ReviewRule(Config):
    """Which cases a reader should see before others; each model keeps its own."""

    below: float = REVIEW_BELOW
    """Those whose predicted Dice of the whole tumour is lower."""
    missed_above: float = REVIEW_MISSED
    """Those without a tumour whose chance of a missed one is higher."""

    def reason(self, whole: RegionQuality) -> str:
        """Why to see a case first whose whole tumour has these figures; empty where there is no need."""
        expected, missed = whole.predicted_dice, whole.missed_chance
        if expected is not None and expected < self.below:
            return f"the predicted Dice of the whole tumour is {expected:.2f}, below {self.below:g}"
        if missed is not None and missed > self.missed_above:
            return (
                f"no tumour was found, with a chance of {missed:.2f} that one was missed, above {self.missed_above:g}"
            )
        return ""


def predicted_dice_of(quality: Mapping[Region, RegionQuality], region: Region) -> float | None:
    """The predicted Dice of a region, or None when none was found, it is not assessable or was not computed."""
    return quality[region].predicted_dice if region in quality else None


def missed_chance_of(quality: Mapping[Region, RegionQuality], region: Region) -> float | None:
    """The chance that a region of which none was found is there; None where it was found or is not assessable."""
    return quality[region].missed_chance if region in quality else None


def review_first(quality: Mapping[Region, RegionQuality]) -> bool:
    """True when a reader should see the case before others."""
    return bool(_reason(quality))


def quality_flags(quality: Mapping[Region, RegionQuality]) -> tuple[str, ...]:
    """What the figures have to warn of, in words."""
    reason = _reason(quality)
    return (f"review first: {reason}",) if reason else ()


def _reason(quality: Mapping[Region, RegionQuality]) -> str:
    """As the model's rule said, or for a record of earlier versions as the common one says."""
    if Region.WT not in quality:
        return ""
    whole = quality[Region.WT]
    return ReviewRule().reason(whole) if whole.review is None else whole.review
