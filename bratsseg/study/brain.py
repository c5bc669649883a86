"""What counts as brain in a study.

The rule, in this order:

1. a mask file in the case;
2. otherwise, per modality, everything but the border region of one constant value (air is 0 in BraTS, -3.5 to -5.6 in
   z-scored files; 0 in the middle of the brain's own intensities where only the brain was scaled), united over
   modalities;
3. a picture is taken whole, for its makers chose what it shows.

A border that is not constant means skull or air noise. A constant border with the dark ring that the skull leaves
below the scalp means that the air alone was blanked. Both are refused: a network that was shown brains only would
paint the scalp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import ContentError, NotBrainExtracted
from bratsseg.study.air import TissueLevels, brightness_above, faces
from bratsseg.study.skull import RING_DARK_SHARE, dark_ring
from bratsseg.study.volume import Box, Study, Volume

# Air may carry the interpolation's ripple: this share of the intensity range still counts as the constant value.
AIR_TOLERANCE = 0.01
# A thick-slab field of view may cut through the brain at two faces, so four constant faces are enough.
CONSTANT_FACES = 4
CONSTANT_SHARE = 0.8
BY_MASK, BY_BORDER = "mask file", "constant border"


@dataclass(frozen=True, eq=False)
class Brain:
    """Which voxels are brain: ``mask`` (I, J, K) bool, the smallest ``box`` around it, and the ``rule`` used."""

    mask: NDArray[np.bool_]
    box: Box
    rule: str


def find_brain(study: Study) -> Brain:
    """Find the brain of a study whose volumes share one grid.

    Raises ``GridMismatch``, ``NotBrainExtracted`` when the scan shows more than brain, ``ContentError`` when nothing
    is left.
    """
    study.require_one_grid()
    if study.mask is not None:
        mask, rule = study.mask.values() > 0.5, BY_MASK
    elif not study.reference.grid.physical:
        mask, rule = np.ones(study.reference.grid.shape, dtype=bool), "picture"
    else:
        mask, rule = _not_air(study), BY_BORDER
        _refuse_ring(study.case_id, [dark_ring(study.volumes[modality]) for modality in study.modalities])
    box = bounding_box(mask)
    if box is None:
        raise no_brain(study.case_id, rule)
    return Brain(mask, box, rule)


@dataclass(frozen=True)
class BrainSign:
    """What one scan says of the brain of its study: enough to refuse the study without reading the scan again.

    ``border`` is why its border is not air, without the scan's name, and empty when it is; ``tissue`` that there is
    something else than air; ``dark_ring`` the share of voxels below the surface that are as dark as bone.
    """

    border: str
    tissue: bool
    dark_ring: float


def brain_sign(volume: Volume) -> BrainSign:
    """What ``find_brain`` looks at in one volume, where no mask file is given."""
    ring = dark_ring(volume)
    try:
        return BrainSign("", not _air_like(volume, "").all(), ring)
    except NotBrainExtracted as error:
        return BrainSign(str(error), True, ring)


def refuse_by_signs(case_id: str, signs: Mapping[str, BrainSign]) -> None:
    """Raise what ``find_brain`` would of scans that share a grid and have no mask file; ``signs`` by modality.

    The brain is what the air of all scans, reached from the border, leaves over: nothing only when all is air in each.
    """
    for name, sign in signs.items():
        if sign.border:
            raise NotBrainExtracted(f"case {case_id}: {name}{sign.border}")
    _refuse_ring(case_id, [sign.dark_ring for sign in signs.values()])
    if not any(sign.tissue for sign in signs.values()):
        raise no_brain(case_id, BY_BORDER)


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box of voxel slices that holds every True, or None when there is none."""
    slices = []
    for axis in range(3):
        line = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if line.size == 0:
            return None
        slices.append(slice(int(line[0]), int(line[-1]) + 1))
    return slices[0], slices[1], slices[2]


def reached_from_border(free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels of ``free`` (I, J, K) that a path through faces of ``free`` joins with the border of the array."""
    import cc3d  # noqa: PLC0415 - absent on machines that only train

    regions = cc3d.connected_components(free, connectivity=6)
    outside = np.unique(np.concatenate([face.ravel() for face in faces(regions)]))
    reached = np.zeros(int(regions.max()) + 1, dtype=bool)
    reached[outside] = True
    reached[0] = False
    found: NDArray[np.bool_] = reached[regions]
    return found


def _not_air(study: Study) -> NDArray[np.bool_]:
    air: NDArray[np.bool_] | None = None
    for modality in study.modalities:
        volume = study.volumes[modality]
        here = _air_like(volume, f"case {study.case_id}: {modality.label}")
        air = here if air is None else np.logical_and(air, here, out=air)
    if air is None:
        raise ContentError(f"case {study.case_id}: a brain needs at least one volume, there is none")
    return ~_reached_around(air)


def _reached_around(air: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``reached_from_border`` of air that surrounds most else: outside the box of what is not air, all is reached."""
    box = bounding_box(~air)
    if box is None:
        return air
    a, b, c = (
        slice(max(0, part.start - 1), min(size, part.stop + 1)) for part, size in zip(box, air.shape, strict=True)
    )
    air[a, b, c] = reached_from_border(air[a, b, c].copy(order="K"))
    return air


def _air_like(volume: Volume, owner: str) -> NDArray[np.bool_]:
    """Voxels within tolerance of the border's value, or ``NotBrainExtracted`` when the border is not constant."""
    voxels = volume.voxels
    values, counts = np.unique(np.concatenate([face.ravel() for face in faces(voxels)]), return_counts=True)
    border = values[counts.argmax()]
    tolerance = AIR_TOLERANCE * brightness_above(voxels, float(border))
    if TissueLevels.of(voxels, float(border)).amid and _exactly(voxels, border):
        tolerance = 0.0  # tissue lies on both sides of air, and some of it as near
    low, high = _bounds(float(border), tolerance, voxels.dtype)
    shares = sorted((float(((face >= low) & (face <= high)).mean()) for face in faces(voxels)), reverse=True)
    if shares[CONSTANT_FACES - 1] < CONSTANT_SHARE:
        raise NotBrainExtracted(
            f"{owner} must be brain-extracted, so that its border is air of one constant value; only "
            f"{sum(share >= CONSTANT_SHARE for share in shares)} of 6 faces are; extract the brain first, or give a "
            "mask (--mask FILE, or brainmask.nii.gz beside the scans)"
        )
    return np.logical_and(voxels >= low, voxels <= high)


def _bounds(value: float, tolerance: float, kind: np.dtype[Any]) -> tuple[float, float]:
    """Closed bounds around a value; whole numbers for whole-number voxels, which then need no conversion."""
    if np.issubdtype(kind, np.integer):
        return int(np.ceil(value - tolerance)), int(np.floor(value + tolerance))
    return value - tolerance, value + tolerance


def no_brain(case_id: str, rule: str) -> ContentError:
    """The error of a study in which a rule left no brain."""
    return ContentError(f"case {case_id}: the brain must not be empty, no voxel was left by rule '{rule}'")


def _refuse_ring(case_id: str, shares: list[float]) -> None:
    """Refuse a head whose air was blanked: the bone shows as a dark ring below the scalp."""
    share = float(np.median(shares))
    if share > RING_DARK_SHARE:
        raise NotBrainExtracted(
            f"case {case_id}: scans must be brain-extracted; {share:.0%} of the voxels 6 to 12 mm below the "
            f"surface are as dark as bone (at most {RING_DARK_SHARE:.0%} in a brain); extract the brain first, or give "
            "a mask (--mask FILE, or brainmask.nii.gz beside the scans)"
        )


def _exactly(voxels: NDArray[Any], border: Any) -> bool:
    """True when the faces that must be air hold nothing but the border's value."""
    shares = sorted((float((face == border).mean()) for face in faces(voxels)), reverse=True)
    return shares[CONSTANT_FACES - 1] >= CONSTANT_SHARE
