"""Quality: how far the answer for one case can be trusted. Computed in ``inference.quality``, kept in the record."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import ConfigDict

from bratsseg.config import Config
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region

REVIEW_BELOW = 0.8
"""A case whose predicted Dice of the whole tumour is lower is to be reviewed first.

Chosen on synthetic patients, with all four modalities and with FLAIR + T1ce (86 studies): it takes 20 of them, among
these 14 of the 15 whose true Dice is below .5 and 18 of the 28 below .7. At .7 it would take 9 studies and miss 7 of
the 15, at .9 it would take 38.
"""


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
    """Dice that the model's own probabilities lead to expect, 0 to 1."""
    boundary_entropy: float | None = None
    """Mean uncertainty near the surface in bits, 0 to 1; None where none was found."""
    modality_drop_dice: ModalityDrop | None = None
    """Only when asked for, and where a modality can be left out."""


def predicted_dice_of(quality: Mapping[Region, RegionQuality], region: Region) -> float | None:
    """The predicted Dice of a region, or None when it is not assessable or was not computed."""
    return quality[region].predicted_dice if region in quality else None


def review_first(quality: Mapping[Region, RegionQuality]) -> bool:
    """True when a reader should see the case before others."""
    expected = predicted_dice_of(quality, Region.WT)
    return expected is not None and expected < REVIEW_BELOW


def quality_flags(quality: Mapping[Region, RegionQuality]) -> tuple[str, ...]:
    """What the figures have to warn of, in words."""
    if not review_first(quality):
        return ()
    expected = predicted_dice_of(quality, Region.WT)
    return (f"review first: the predicted Dice of the whole tumour is {expected:.2f}, below {REVIEW_BELOW:g}",)
