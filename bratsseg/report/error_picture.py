"""Error pictures: one slice of a case with what was found, missed and invented, in colours told apart by anyone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bratsseg.report.overlay import Colour, Grey
from bratsseg.study.regions import Region

# Okabe & Ito 2008, "Color universal design": told apart by the colour-blind, and in grey by their brightness.
ERROR_COLOURS: dict[str, tuple[int, int, int]] = {
    "correct": (86, 180, 233),
    "missed": (240, 228, 66),
    "extra": (213, 94, 0),
}
_OPACITY = 0.55
_LONGEST = 320


@dataclass(frozen=True, eq=False)
class ErrorPicture:
    """One slice of one case: row 0 on top, column 0 on the left, as it is to be seen."""

    case: str
    region: Region
    scan: str
    """What the ground is, such as ``FLAIR``."""
    score: float
    """The score the case was chosen by."""
    slice: int
    """Index of the slice along its axis, from 0."""
    ground: Grey
    """(H, W) uint8."""
    predicted: NDArray[np.bool_]
    """(H, W)."""
    reference: NDArray[np.bool_]
    """(H, W)."""
    aspect: float = 1.0
    """Height of a pixel over its width."""


def picture_errors(
    case: str,
    region: Region,
    score: float,
    image: NDArray[np.float32],
    *,
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    scan: str = "",
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    flip: tuple[bool, bool] = (True, True),
) -> ErrorPicture:
    """The axial slice of an (I, J, K) case with the most wrong pixels; where all is right, with the most tumour.

    ``flip`` mirrors (I, J): for a case in RAS both, so that anterior is on top and the patient's left is on the right;
    for a picture or a case in LPS neither. The ground runs from the 1st to the 99.5th percentile of what is not air.
    """
    wrong, shown = predicted ^ reference, predicted | reference
    chosen = wrong if wrong.any() else shown
    place = int(chosen.sum(axis=(0, 1)).argmax()) if chosen.any() else image.shape[2] // 2

    def cut(values: NDArray[np.generic]) -> NDArray[np.generic]:
        seen = values[:, :, place].T
        return np.ascontiguousarray(seen[:: -1 if flip[1] else 1, :: -1 if flip[0] else 1])

    return ErrorPicture(
        case=case,
        region=region,
        scan=scan,
        score=score,
        slice=place,
        ground=_grey(np.asarray(cut(image), dtype=np.float32)),
        predicted=np.asarray(cut(predicted), dtype=bool),
        reference=np.asarray(cut(reference), dtype=bool),
        aspect=spacing[1] / spacing[0],
    )


def paint_errors(picture: ErrorPicture) -> Colour:
    """(H, W, 3) uint8: the ground twice beside each other, on the right with correct, missed and extra pixels."""
    ground = np.repeat(picture.ground[..., None], 3, axis=2)
    painted = ground.astype(np.float32)
    parts = {
        "correct": picture.predicted & picture.reference,
        "missed": picture.reference & ~picture.predicted,
        "extra": picture.predicted & ~picture.reference,
    }
    for name, where in parts.items():
        painted[where] = (1 - _OPACITY) * painted[where] + _OPACITY * np.asarray(ERROR_COLOURS[name])
    return np.concatenate([_enlarged(ground, picture), _enlarged(np.rint(painted).astype(np.uint8), picture)], axis=1)


def _grey(values: NDArray[np.float32]) -> Grey:
    inside = values[values > values.min()] if values.size else values
    if not inside.size:
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = (float(value) for value in np.percentile(inside, (1.0, 99.5)))
    grey: Grey = np.rint(np.clip((values - low) / (high - low if high > low else 1.0), 0, 1) * 255).astype(np.uint8)
    return grey


def _enlarged(pixels: Colour, picture: ErrorPicture) -> Colour:
    height, width = pixels.shape[0] * picture.aspect, float(pixels.shape[1])
    factor = _LONGEST / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST))
