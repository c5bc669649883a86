"""What is said of regions, sides and whole results, the same on pages, pictures and sheets."""

from __future__ import annotations

from bratsseg.report.measures import LESION_ML, Location, Measures, RegionMeasures, Side
from bratsseg.study.quality import Answer, ModalityDrop
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.wording import NOTHING, counted, figure, ml

RESEARCH_USE = (
    "For research use only. Not a medical device: it makes no diagnosis and names no tumour type or grade. "
    "Every outline must be checked by a qualified person."
)
NO_SIZE = "The scan is a picture: its pixels have no known size or direction, so no volume, length or side is given."
NONE_FOUND, NOT_ASSESSABLE = "none found", "not assessable"
UNKNOWN = "unknown"
"""What stands for a figure that cannot be known, where there is something to have one."""


def answer(found: RegionMeasures) -> str:
    """What was found of a region: its size, "none found" or "not assessable"."""
    if not found.assessable:
        return NOT_ASSESSABLE
    if not found.found:
        return NONE_FOUND
    return ml(found.volume_ml) if found.volume_ml is not None else counted(found.voxels or 0, "pixel")


def expected_dice(answer: str, dice: float | None, missed: float | None = None) -> str:
    """The predicted Dice: "0.87"; where none was found "unknown", or "unknown (chance of a miss 0.03)"."""
    if answer != Answer.NONE_FOUND:
        return figure(dice)
    return UNKNOWN if missed is None else f"{UNKNOWN} (chance of a miss {figure(missed)})"


def drop(found: ModalityDrop | None) -> str:
    """How far the answer holds without a modality: "0.91, at worst 0.84 without T1ce"."""
    if found is None:
        return NOTHING
    return f"{figure(found.mean)}, at worst {figure(found.worst)} without {found.without.label}"


def lesions(found: RegionMeasures) -> str:
    """The number of lesions and of what is too small to count as one."""
    if found.lesions is None:
        return NOTHING
    return f"{found.lesions} (+{found.specks} below {LESION_ML:g} mL)" if found.specks else str(found.lesions)


def side(where: Location) -> str:
    """The side with the share that lies there, or why none is given."""
    if where.side is None or where.share_right is None:
        return "not given, the middle of the brain is not known"
    larger, share = ("right", where.share_right) if where.share_right >= 0.5 else ("left", 1 - where.share_right)
    if where.side in (Side.LEFT, Side.RIGHT) and share > 0.995:
        return str(where.side)
    return f"{where.side} ({share:.0%} of it {larger} of the middle)"


def centre(where: Location) -> str:
    """The centre with the patient's own directions: "31 mm right, 12 mm posterior, 40 mm superior"."""
    names = (("right", "left"), ("anterior", "posterior"), ("superior", "inferior"))
    return ", ".join(f"{abs(x):.0f} mm {ends[x < 0]}" for x, ends in zip(where.centroid, names, strict=True))


def headline(measures: Measures) -> str:
    """One line that answers the first question."""
    whole = measures.regions[Region.WT]
    if not whole.assessable:
        return f"{APPEARANCE[Region.WT].name}: {NOT_ASSESSABLE}"
    if not whole.found:
        return "No tumour found"
    parts = [f"{APPEARANCE[Region.WT].name} {answer(whole)}", counted(whole.lesions or 0, "lesion")]
    if measures.location is not None and measures.location.side is not None:
        parts.append(side(measures.location))
    return ", ".join(parts)
