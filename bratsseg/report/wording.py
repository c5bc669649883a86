"""How numbers and answers are worded, the same on pages, pictures and sheets."""

from __future__ import annotations

from bratsseg.report.measures import LESION_ML, Location, Measures, RegionMeasures, Side
from bratsseg.study.quality import ModalityDrop
from bratsseg.study.regions import APPEARANCE, Region

RESEARCH_USE = (
    "For research use only. Not a medical device: it makes no diagnosis and names no tumour type or grade. "
    "Every outline must be checked by a qualified person."
)
NO_SIZE = "The scan is a picture: its pixels have no known size or direction, so no volume, length or side is given."
NONE_FOUND, NOT_ASSESSABLE = "none found", "not assessable"
NOTHING = "–"


def ml(volume: float | None) -> str:
    """A volume: "0.04 mL", "3.7 mL", "124 mL"."""
    return NOTHING if volume is None else f"{_short(volume)} mL"


def mm(length: float | None) -> str:
    """A length to a tenth."""
    return NOTHING if length is None else f"{length:.1f} mm"


def mm2(area: float | None) -> str:
    """An area to a whole number."""
    return NOTHING if area is None else f"{area:,.0f} mm²"


def change_ml(change: float) -> str:
    """A difference of volumes with its sign."""
    return f"{'+' if change >= 0 else '−'}{_short(abs(change))} mL"


def change_percent(now: float, before: float) -> str:
    """A relative change with its sign; from nothing there is none."""
    if before <= 0:
        return NOTHING
    change = 100 * (now / before - 1)
    return f"{'+' if change >= 0 else '−'}{abs(change):.0f} %"


def counted(number: int, one: str, many: str | None = None) -> str:
    """ "1 lesion", "3 lesions"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def answer(found: RegionMeasures) -> str:
    """What was found of a region: its size, "none found" or "not assessable"."""
    if not found.assessable:
        return NOT_ASSESSABLE
    if not found.found:
        return NONE_FOUND
    return ml(found.volume_ml) if found.volume_ml is not None else counted(found.voxels or 0, "pixel")


def figure(value: float | None) -> str:
    """A figure between 0 and 1: "0.87"."""
    return NOTHING if value is None else f"{value:.2f}"


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


def _short(number: float) -> str:
    return f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"
