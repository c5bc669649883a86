"""What each value of a label map is called, how it is coloured and coded: one list for every format.

Names, colours and codes come from ``study/regions.py``. What a value may be called depends on what was looked for:
where no tumour core was, the voxels around the enhancing tumour are the rest of the whole tumour, and not edema.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bratsseg.study.dialect import OUTSIDE, Dialect
from bratsseg.study.regions import APPEARANCE, Appearance, Region, Tissue

_WHOLE, _CORE, _ENHANCING = (APPEARANCE[region] for region in Region)
_REST = Appearance(f"{_WHOLE.name} without {_ENHANCING.name.lower()}", _WHOLE.colour, _WHOLE.code)
# A value in no region, such as the resection cavity of BraTS 2024: Okabe & Ito's palette leaves grey for such.
_OTHER = Appearance("Not tumour", (153, 153, 153), ("SCT", "49755003", "Morphologically Altered Structure"))


@dataclass(frozen=True)
class Label:
    """One value of a label map: ``colour`` is sRGB 0-255, ``code`` its scheme, value and meaning."""

    value: int
    name: str
    abbreviation: str
    colour: tuple[int, int, int]
    code: tuple[str, str, str]


def labels_of(
    dialect: Dialect, assessable: Collection[Region] = frozenset(Region), found: Collection[int] = ()
) -> tuple[Label, ...]:
    """The labels of a map in ``dialect`` where ``assessable`` was looked for, by value.

    ``found`` are the values in a map of somebody else's, which may use more than bratsseg writes: a second kind of core
    in ``brats2013``, the cavity in ``brats2024``. Those are listed too.
    """
    shown = frozenset(assessable) & dialect.expresses
    labels = {}
    for tissue, value in dialect.writes.items():
        look = _look(tissue, shown)
        if look is not None:
            labels[value] = _label(value, look, _abbreviation(look))
    for value in sorted(set(found) - labels.keys() - {0}):
        look = _look_of_regions(dialect.meaning.get(value, OUTSIDE))
        name = Appearance(f"{look.name} ({dialect.name} {value})", look.colour, look.code)
        labels[value] = _label(value, name, f"{_abbreviation(look)}{value}")
    return tuple(labels[value] for value in sorted(labels))


def _look(tissue: Tissue, shown: frozenset[Region]) -> Appearance | None:
    """How a tissue looks where only ``shown`` was looked for; None when it cannot occur there."""
    if tissue is Tissue.ENHANCING:
        return _ENHANCING if Region.ET in shown else None
    if tissue is Tissue.NECROSIS:
        core = APPEARANCE[tissue] if Region.ET in shown else _CORE
        return core if Region.TC in shown else None
    if Region.TC in shown:
        return APPEARANCE[tissue]
    return _REST if Region.ET in shown else _WHOLE


def _look_of_regions(regions: frozenset[Region]) -> Appearance:
    if Region.ET in regions:
        return _ENHANCING
    if Region.TC in regions:
        return _CORE
    return _WHOLE if Region.WT in regions else _OTHER


def _label(value: int, look: Appearance, abbreviation: str) -> Label:
    return Label(value, look.name, abbreviation, look.colour, look.code)


def _abbreviation(look: Appearance) -> str:
    """Short and stable, letters only: what BIDS calls an abbreviation and Slicer an id."""
    short = {
        _WHOLE: "WT",
        _REST: "WTnoET",
        _CORE: "TC",
        _ENHANCING: "ET",
        _OTHER: "OTHER",
        APPEARANCE[Tissue.NECROSIS]: "NCR",
        APPEARANCE[Tissue.EDEMA]: "ED",
    }
    return short[look]
