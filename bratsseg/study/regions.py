"""The tumour regions: names, colours and codes, in this one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Region(StrEnum):
    """A region that is segmented; nested, ET ⊂ TC ⊂ WT. The member order is the channel order of every array."""

    WT = "WT"
    TC = "TC"
    ET = "ET"


class Tissue(StrEnum):
    """A part of the tumour that a label map stores; the parts do not overlap."""

    NECROSIS = "necrosis"
    EDEMA = "edema"
    ENHANCING = "enhancing"


@dataclass(frozen=True)
class Appearance:
    """How a region or tissue is named, coloured (sRGB, 0-255) and coded (SNOMED CT or NCIt) everywhere."""

    name: str
    colour: tuple[int, int, int]
    code: tuple[str, str, str]


# Okabe & Ito's colour-blind safe palette (https://jfly.uni-koeln.de/color/).
# Codes: conventions of DICOM SEG and 3D Slicer terminologies.
APPEARANCE: dict[Region | Tissue, Appearance] = {
    Region.WT: Appearance("Whole tumour", (86, 180, 233), ("SCT", "108369006", "Neoplasm")),
    Region.TC: Appearance("Tumour core", (213, 94, 0), ("SCT", "108369006", "Neoplasm")),
    Region.ET: Appearance("Enhancing tumour", (240, 228, 66), ("NCIt", "C113842", "Enhancing Lesion")),
    Tissue.NECROSIS: Appearance("Necrosis and non-enhancing core", (213, 94, 0), ("SCT", "6574001", "Necrosis")),
    Tissue.EDEMA: Appearance("Edema", (86, 180, 233), ("SCT", "79654002", "Edema")),
    Tissue.ENHANCING: Appearance("Enhancing tumour", (240, 228, 66), ("NCIt", "C113842", "Enhancing Lesion")),
}
