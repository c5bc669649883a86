"""Surfaces between voxels, and the two measures that need them: BraTS's HD95 and the normalised surface Dice.

BraTS computes HD95 on surface elements, not on surface voxels: an element lies at each corner of the voxel lattice
where the 2×2×2 voxels around it are neither all in nor all out, and weighs as much as the area in mm² of the surface
that marching cubes draws there. The percentile is taken over area and never interpolated. So it differs from
``surface.hd95_mm`` and from MONAI's ``compute_hausdorff_distance``, usually by less than a voxel.

Paper: Nikolov et al. 2018, arXiv 1809.04430. Reference code: google-deepmind/surface-distance as the organisers ship it
in rachitsaluja/BraTS-2023-Metrics at commit 43c9052; MONAI's ``compute_surface_dice(use_subvoxels=True)`` agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from bratsseg.evaluation.surface import surface
from bratsseg.study.brain import bounding_box
from bratsseg.study.overlap import UNDEFINED, Mask

Numbers = NDArray[np.float64]

# Marching cubes draws up to four triangles around a corner. For one arrangement of the eight voxels of each kind that
# differs by more than a turn or a mirror (bit 4a+2b+c is the voxel at (a, b, c)): the triangles' areas as seen along
# each axis, in eighths of a voxel face. All other arrangements follow by symmetry; 0 and 255 have no surface.
_CORNER, _LARGE = (1, 1, 1), (2, 2, 2)
_TRIANGLES: dict[int, tuple[tuple[int, int, int], ...]] = {
    1: (_CORNER,),
    3: ((2, 2, 0),) * 2,
    6: (_CORNER,) * 2,
    7: (_CORNER, _LARGE, (4, 0, 0)),
    15: ((4, 0, 0),) * 2,
    22: (_CORNER,) * 3,
    23: (_CORNER, _CORNER, _LARGE, _LARGE),
    24: (_CORNER,) * 2,
    25: ((0, 2, 2), (0, 2, 2), _CORNER),
    27: ((0, 2, 2), _CORNER, (2, 0, 2), (3, 3, 3)),
    30: (_CORNER, _CORNER, _LARGE, (4, 0, 0)),
    31: (_CORNER, _LARGE, (4, 0, 0)),
    60: ((2, 2, 0),) * 4,
    61: (_CORNER, (2, 2, 0), (2, 2, 0)),
    63: ((2, 2, 0),) * 2,
    105: (_CORNER,) * 4,
    107: (_CORNER,) * 3,
    111: (_CORNER,) * 2,
    126: (_CORNER,) * 2,
    127: (_CORNER,),
}


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances in mm from each element of one surface to the other surface, with the elements' areas in mm².

    Each pair is sorted by distance, then area. A surface of nothing has no elements.
    """

    from_predicted: Numbers
    predicted_mm2: Numbers
    from_reference: Numbers
    reference_mm2: Numbers

    def hausdorff_mm(self, percent: float = 95.0) -> float:
        """Larger of the two distances that ``percent`` of a surface's area does not exceed.

        Both surfaces empty: 0. One empty: NaN (the reference code says infinity, BraTS puts its penalty there).
        """
        sizes = (len(self.from_predicted), len(self.from_reference))
        if not all(sizes):
            return UNDEFINED if any(sizes) else 0.0
        return max(
            _within(self.from_predicted, self.predicted_mm2, percent),
            _within(self.from_reference, self.reference_mm2, percent),
        )

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both surfaces' area that lies within ``tolerance_mm`` of the other. Both empty: 1. One empty: 0."""
        total = self.predicted_mm2.sum() + self.reference_mm2.sum()
        if not total:
            return 1.0
        if not len(self.from_predicted) or not len(self.from_reference):
            return 0.0
        near = self.predicted_mm2[self.from_predicted <= tolerance_mm].sum()
        near += self.reference_mm2[self.from_reference <= tolerance_mm].sum()
        return float(near / total)


def surface_distances(predicted: Mask, reference: Mask, spacing: Sequence[float]) -> SurfaceDistances:
    """Surface elements of two (I, J, K) bool arrays with voxels of ``spacing`` mm, and how far apart they lie."""
    _one_shape(predicted, reference)
    nothing = np.zeros(0)
    box = bounding_box(predicted | reference)
    if box is None:
        return SurfaceDistances(nothing, nothing, nothing, nothing)
    ours, theirs = _arrangements(predicted[box]), _arrangements(reference[box])
    areas = _areas(tuple(float(size) for size in spacing))
    there = _distances(_is_surface(ours), _is_surface(theirs), spacing)
    back = _distances(_is_surface(theirs), _is_surface(ours), spacing)
    return SurfaceDistances(
        *_sorted(there, areas[ours[_is_surface(ours)]]), *_sorted(back, areas[theirs[_is_surface(theirs)]])
    )


def nsd(predicted: Mask, reference: Mask, spacing: Sequence[float], tolerance_mm: float) -> float:
    """Normalised surface Dice by area (Nikolov 2018). Both empty: 1. One empty: 0."""
    return surface_distances(predicted, reference, spacing).surface_dice(tolerance_mm)


def voxel_nsd(
    predicted: Mask, reference: Mask, spacing: Sequence[float], tolerances_mm: Sequence[float]
) -> tuple[float, ...]:
    """Normalised surface Dice by surface voxels as BraTS 2024 and nnU-Net compute it, for each tolerance.

    The mean of the two surfaces' shares of voxels whose centre is near enough to a surface voxel of the other, over
    1 + 5e-9 as in the reference code (``normalized_surface_dice`` of ``metrics_GLI.py``,
    rachitsaluja/BraTS-2024-Metrics at commit f1131e3), so two equal masks do not quite reach 1. MONAI's
    ``compute_surface_dice`` pools the voxels of both surfaces instead of averaging two shares. Both empty: 1. One
    empty: 0.
    """
    _one_shape(predicted, reference)
    box = bounding_box(predicted | reference)
    if box is None:
        return (1.0,) * len(tolerances_mm)
    if not predicted[box].any() or not reference[box].any():
        return (0.0,) * len(tolerances_mm)
    ours, theirs = surface(predicted[box]), surface(reference[box])
    there, back = _distances(ours, theirs, spacing), _distances(theirs, ours, spacing)
    shares = [float(np.mean(there <= limit)) + float(np.mean(back <= limit)) for limit in tolerances_mm]
    return tuple(share / (2.0 + 1e-8) for share in shares)


def _one_shape(predicted: Mask, reference: Mask) -> None:
    if predicted.shape != reference.shape:
        raise ValueError(f"masks must have one shape, were {predicted.shape} and {reference.shape}")


def _arrangements(mask: Mask) -> NDArray[np.uint8]:
    """Which of the eight voxels around each corner are in: (I, J, K) bool → (I+1, J+1, K+1) codes 0 to 255."""
    padded = np.pad(mask, 1).astype(np.uint8)
    codes = np.zeros([size + 1 for size in mask.shape], dtype=np.uint8)
    for bit, (a, b, c) in enumerate(product((0, 1), repeat=3)):
        i, j, k = codes.shape
        codes |= padded[a : a + i, b : b + j, c : c + k] << np.uint8(bit)
    return codes


def _is_surface(codes: NDArray[np.uint8]) -> Mask:
    found: Mask = (codes != 0) & (codes != 255)
    return found


@lru_cache(maxsize=1)
def _triangles() -> NDArray[np.float64]:
    """(256, 4, 3): for each arrangement up to four triangles' areas as seen along each axis, in voxel faces."""
    table = np.zeros((256, 4, 3))
    bits = 1 << np.arange(8).reshape(2, 2, 2)
    for code, triangles in _TRIANGLES.items():
        cube = (code & bits) > 0
        for axes, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
            turned = cube.transpose(axes)[tuple(slice(None, None, step) for step in flips)]
            seen = np.asarray(triangles)[:, list(axes)]
            table[int((turned * bits).sum()), : len(seen)] = seen / 8
    return table


@lru_cache(maxsize=64)
def _areas(spacing: tuple[float, ...]) -> Numbers:
    """mm² of surface around a corner, by arrangement."""
    i, j, k = spacing
    areas: Numbers = np.linalg.norm(_triangles() * np.array([j * k, i * k, i * j]), axis=2).sum(axis=1)
    return areas


def _distances(start: Mask, goal: Mask, spacing: Sequence[float]) -> Numbers:
    """mm from each element of ``start``, in index order, to the nearest of ``goal``; infinite when that is empty."""
    elements = np.argwhere(start)
    targets = np.argwhere(goal)
    distances = np.zeros(len(elements))
    if not len(targets):
        return np.full(len(elements), np.inf)
    apart = ~goal[start]
    if not apart.any():
        return distances
    size = np.asarray(spacing, dtype=np.float64)
    tree = KDTree(targets * size, compact_nodes=False, balanced_tree=False)
    _, nearest = tree.query(elements[apart] * size)
    # Steps times size, as a distance transform has it: equal distances come out equal to the last bit.
    steps = (targets[nearest] - elements[apart]) * size
    distances[apart] = np.sqrt((steps * steps).sum(axis=1))
    return distances


def _sorted(distances: Numbers, areas: Numbers) -> tuple[Numbers, Numbers]:
    order = np.lexsort((areas, distances))
    return distances[order], areas[order]


def _within(distances: Numbers, areas: Numbers, percent: float) -> float:
    share = np.cumsum(areas) / areas.sum()
    place = int(np.searchsorted(share, percent / 100.0))
    return float(distances[min(place, len(distances) - 1)])
