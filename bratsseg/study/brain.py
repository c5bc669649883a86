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
from scipy import ndimage

from bratsseg.errors import ContentError, NotBrainExtracted
from bratsseg.study.volume import Box, Study, Volume

# Air may carry the interpolation's ripple: this share of the intensity range still counts as the constant value.
AIR_TOLERANCE = 0.01
# A thick-slab field of view may cut through the brain at two faces, so four constant faces are enough.
CONSTANT_FACES = 4
CONSTANT_SHARE = 0.8
# Share of voxels 6 to 12 mm below the surface that are darker than .4 of the median further inside. Measured:
# brain-extracted scans of five sources 0 to .05, heads .12 to .58.
RING_DEPTH_MM = (6.0, 12.0)
RING_DARK_SHARE = 0.1
RING_DARKNESS = 0.4
RING_STEP_MM = 3.0
# Air lies amid tissue when tissue gets darker than air by this share of what it spans up to its median: it is 1 in a
# scaled brain, and 0 or less in real scans that nobody scaled so. The darkest of tissue is a percentile, for a few
# voxels may be any value.
AMID = 0.1
FLOOR_PERCENTILE = 0.5
# Air lies far below tissue when it is negative, as no scanner makes it, and its distance exceeds this multiple of that
# span: in real scans, scaled or not, it is at most .4.
FAR_BELOW = 2.0
_COARSE, _FEWEST = 200_000, 50
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
        _refuse_ring(study.case_id, [_dark_ring(study.volumes[modality]) for modality in study.modalities])
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
    ring = _dark_ring(volume)
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
    outside = np.unique(np.concatenate([face.ravel() for face in _faces(regions)]))
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
    return ~reached_from_border(air)


def _air_like(volume: Volume, owner: str) -> NDArray[np.bool_]:
    """Voxels within tolerance of the border's value, or ``NotBrainExtracted`` when the border is not constant."""
    voxels = volume.voxels
    values, counts = np.unique(np.concatenate([face.ravel() for face in _faces(voxels)]), return_counts=True)
    border = values[counts.argmax()]
    tolerance = AIR_TOLERANCE * _brightness_above(voxels, float(border))
    if _Tissue.of(voxels, float(border)).amid and _exactly(voxels, border):
        tolerance = 0.0  # tissue lies on both sides of air, and some of it as near
    low, high = _bounds(float(border), tolerance, voxels.dtype)
    shares = sorted((float(((face >= low) & (face <= high)).mean()) for face in _faces(voxels)), reverse=True)
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


def _dark_ring(volume: Volume) -> float:
    spacing = volume.grid.spacing
    if spacing is None:
        return 0.0
    step = tuple(max(1, round(RING_STEP_MM / edge)) for edge in spacing)
    coarse = np.asarray(volume.voxels[:: step[0], :: step[1], :: step[2]], dtype=np.float32)
    edges = [edge * stride for edge, stride in zip(spacing, step, strict=True)]
    air = float(np.median(np.concatenate([face.ravel() for face in _faces(coarse)])))
    tissue = _Tissue.of(coarse, air)
    if tissue.amid or tissue.far_below:  # put air where a scanner has it: just below all tissue
        coarse = np.where(coarse == air, 0.0, np.maximum(coarse - tissue.floor, 0.0))
        air = 0.0
    bright = _brightness_above(coarse, air)
    through = int(np.argmax(edges))  # fill holes in the planes that are sampled best
    planes = np.moveaxis(coarse - air > 0.1 * bright, through, 0)
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in planes], axis=through)
    import cc3d  # noqa: PLC0415 - absent on machines that only train

    regions = cc3d.connected_components(filled, connectivity=6)
    if not regions.any():
        return 0.0
    filled = regions == int(np.bincount(regions.ravel())[1:].argmax()) + 1
    depth = ndimage.distance_transform_edt(np.pad(filled, 1), sampling=edges)[1:-1, 1:-1, 1:-1]
    ring = (depth > RING_DEPTH_MM[0]) & (depth <= RING_DEPTH_MM[1])
    if not ring.any():
        return 0.0
    inner = coarse[depth > RING_DEPTH_MM[1]]
    usual = float(np.median(inner)) - air if inner.size else bright
    return float((coarse[ring] - air < RING_DARKNESS * usual).mean())


def _exactly(voxels: NDArray[Any], border: Any) -> bool:
    """True when the faces that must be air hold nothing but the border's value."""
    shares = sorted((float((face == border).mean()) for face in _faces(voxels)), reverse=True)
    return shares[CONSTANT_FACES - 1] >= CONSTANT_SHARE


@dataclass(frozen=True)
class _Tissue:
    """Where the air of a volume lies in what else there is: ``amid`` it, far below it, or just below as usual."""

    floor: float
    amid: bool
    far_below: bool

    @classmethod
    def of(cls, voxels: NDArray[Any], air: float) -> _Tissue:
        """From a coarse sample. ``floor`` is how dark tissue gets.

        Whoever scales the brain alone (MONAI's ``NormalizeIntensity(nonzero=True)``, the smallest and largest to -1
        and 1) leaves the air at 0, in the middle; others put it far below.
        """
        sample = np.asarray(voxels[::4, ::4, ::2] if voxels.size > _COARSE else voxels, dtype=np.float32)
        tissue = sample[sample != np.float32(air)]
        if tissue.size < _FEWEST:
            return cls(air, False, False)
        floor, middle = (float(value) for value in np.percentile(tissue, [FLOOR_PERCENTILE, 50.0]))
        span = middle - floor
        return cls(floor, air - floor > AMID * span > 0, air < 0 and floor - air > FAR_BELOW * span > 0)


def _brightness_above(voxels: NDArray[Any], floor: float) -> float:
    """How far the 99th percentile lies above ``floor``, from a coarse sample."""
    sample = np.asarray(voxels[::4, ::4, ::2], dtype=np.float32)
    above = sample[sample > floor]
    return float(np.percentile(above, 99.0)) - floor if above.size else 0.0


def _faces(voxels: NDArray[Any]) -> list[NDArray[Any]]:
    return [voxels[0], voxels[-1], voxels[:, 0], voxels[:, -1], voxels[:, :, 0], voxels[:, :, -1]]
