"""Dialects: what the integer values of a label map mean in each convention.

Integers exist only in reading and writing; inside the program there are regions. Values alone never decide a
dialect: {1, 2, 3} can be MSD or BraTS 2023, {1, 2, 3, 4} BraTS 2013, PED or GLI 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import DialectError, LabelError
from bratsseg.study.regions import Region, Tissue

_WT, _TC, _ET = Region.WT, Region.TC, Region.ET
EDEMA, CORE, ENHANCING = frozenset({_WT}), frozenset({_WT, _TC}), frozenset({_WT, _TC, _ET})
OUTSIDE: frozenset[Region] = frozenset()


@dataclass(frozen=True)
class Dialect:
    """One convention of label values.

    ``meaning`` takes each value to the regions that hold it; ``writes`` takes each tissue to the value it is stored
    as; ``expresses`` are the regions that the convention can tell apart.
    """

    name: str
    meaning: dict[int, frozenset[Region]]
    writes: dict[Tissue, int]
    source: str
    expresses: frozenset[Region] = frozenset(Region)

    def decode(self, values: NDArray[np.generic], owner: str) -> NDArray[np.bool_]:
        """Label values (I, J, K) → regions (3, I, J, K) bool in ``Region`` order; ``LabelError`` on other values."""
        labels = whole_numbers(values, owner)
        found = {int(v) for v in np.unique(labels)} - {0}
        strange = sorted(found - self.meaning.keys())
        if strange:
            raise LabelError(
                f"{owner}: values of dialect {self.name} are {sorted(self.meaning)}, found {strange}; "
                "correct the label map, or name the right dialect"
            )
        top = max(self.meaning)
        table = np.zeros((len(Region), top + 1), dtype=bool)
        for value, regions in self.meaning.items():
            for channel, region in enumerate(Region):
                table[channel, value] = region in regions
        return np.stack([row[labels] for row in table])

    def encode(self, regions: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Nested regions (3, I, J, K) bool → label values (I, J, K) uint8."""
        whole, core, enhancing = regions
        values = np.zeros(whole.shape, dtype=np.uint8, order="F")
        values[whole] = self.writes[Tissue.EDEMA]
        values[core] = self.writes[Tissue.NECROSIS]
        values[enhancing] = self.writes[Tissue.ENHANCING]
        return values


def whole_numbers(values: NDArray[np.generic], owner: str) -> NDArray[np.uint8]:
    """Round label values that a tool stored as floats; ``LabelError`` when one is not near 0..255."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    numbers = np.asarray(values, dtype=np.float32)
    if not np.isfinite(numbers).all():
        raise LabelError(f"{owner}: label values must be whole numbers, found NaN or infinity")
    rounded = np.rint(numbers)
    worst = float(np.abs(numbers - rounded).max(initial=0.0))
    low, high = float(rounded.min(initial=0.0)), float(rounded.max(initial=0.0))
    must = f"{owner}: label values must be whole numbers from 0 to 255, found"
    if worst > 0.01:
        raise LabelError(
            f"{must} {low:g} to {high:g} with a remainder of {worst:.2g}; is this a label map that was resampled, or "
            "an image?"
        )
    if low < 0 or high > 255:
        raise LabelError(f"{must} {low:g} to {high:g}; correct the label map, or is this an image?")
    return rounded.astype(np.uint8)


def _tissues(necrosis: int, edema: int, enhancing: int) -> dict[Tissue, int]:
    return {Tissue.NECROSIS: necrosis, Tissue.EDEMA: edema, Tissue.ENHANCING: enhancing}


_DIALECTS = (
    Dialect("brats2013", {1: CORE, 2: EDEMA, 3: CORE, 4: ENHANCING}, _tissues(1, 2, 4), "BraTS 2013 and 2015"),
    Dialect("brats2021", {1: CORE, 2: EDEMA, 4: ENHANCING}, _tissues(1, 2, 4), "BraTS 2017 to 2021"),
    Dialect("brats2023", {1: CORE, 2: EDEMA, 3: ENHANCING}, _tissues(1, 2, 3), "BraTS 2023 GLI"),
    Dialect(
        "brats2024",
        {1: CORE, 2: EDEMA, 3: ENHANCING, 4: OUTSIDE},
        _tissues(1, 2, 3),
        "BraTS 2024 GLI post-treatment; 4 is the resection cavity, in neither WT nor TC",
    ),
    Dialect("brats2024-ped", {1: ENHANCING, 2: CORE, 3: CORE, 4: EDEMA}, _tissues(2, 4, 1), "BraTS 2024 PED"),
    Dialect("msd", {1: EDEMA, 2: CORE, 3: ENHANCING}, _tissues(2, 1, 3), "Medical Segmentation Decathlon Task01"),
    Dialect("nnunet-brats21", {1: EDEMA, 2: CORE, 3: ENHANCING}, _tissues(2, 1, 3), "nnU-Net's converted BraTS 2021"),
    Dialect(
        "hd-glio",
        {1: EDEMA, 2: ENHANCING},
        _tissues(1, 1, 2),
        "HD-GLIO: non-enhancing T2/FLAIR abnormality and contrast-enhancing tumour; no tumour core",
        frozenset({_WT, _ET}),
    ),
    Dialect(
        "whole-tumour",
        {1: EDEMA, 255: EDEMA},
        _tissues(1, 1, 1),
        "masks of pictures, of 0 and 1 or of 0 and 255: whole tumour and nothing else",
        frozenset({_WT}),
    ),
)
DIALECTS = {dialect.name: dialect for dialect in _DIALECTS}


def get_dialect(name: str) -> Dialect:
    """The dialect called ``name``, or ``DialectError`` that lists the known ones."""
    try:
        return DIALECTS[name]
    except KeyError:
        raise DialectError(f"dialect {name!r} is unknown; it must be one of {', '.join(DIALECTS)}") from None
