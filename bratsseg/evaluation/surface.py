"""How far two surfaces lie apart.

HD95 is the larger of the two directed 95th percentiles of the distances from each surface voxel to the other surface
(Huttenlocher 1993, doi:10.1109/34.232073, in the 95 % form of the BraTS challenge). The definition equals MONAI's
``compute_hausdorff_distance(percentile=95)``: a surface voxel is one that erosion by the 6-neighbourhood removes,
distances run between voxel centres, the percentile is interpolated linearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from bratsseg.study.brain import bounding_box
from bratsseg.study.overlap import UNDEFINED, Mask


def hd95_mm(predicted: Mask, reference: Mask, spacing: Sequence[float]) -> float:
    """95 % Hausdorff distance in mm between two (I, J, K) bool arrays with voxels of ``spacing`` mm.

    Both empty: 0. One empty: NaN, to be counted and not averaged.
    """
    if predicted.shape != reference.shape:
        raise ValueError(f"masks must have one shape, were {predicted.shape} and {reference.shape}")
    box = bounding_box(predicted | reference)
    if box is None:
        return 0.0
    ours, theirs = predicted[box], reference[box]
    if not ours.any() or not theirs.any():
        return UNDEFINED
    ours, theirs = surface(ours), surface(theirs)
    return max(_percentile95(ours, theirs, spacing), _percentile95(theirs, ours, spacing))


def surface(mask: Mask) -> Mask:
    """The voxels of an (I, J, K) bool array with a 6-neighbour outside it; beyond the array is outside."""
    inside = mask.copy()
    for axis in range(3):
        eroded, whole = np.moveaxis(inside, axis, 0), np.moveaxis(mask, axis, 0)
        eroded[1:] &= whole[:-1]
        eroded[:-1] &= whole[1:]
        eroded[0] = eroded[-1] = False
    return mask & ~inside


def _percentile95(start: Mask, goal: Mask, spacing: Sequence[float]) -> float:
    """95th percentile of the distances in mm from each voxel of ``start`` to the nearest of ``goal``."""
    apart = _positions(start & ~goal, spacing)
    distances = np.zeros(int(np.count_nonzero(start)))  # a voxel on both surfaces is at distance 0
    if len(apart):
        tree = KDTree(_positions(goal, spacing), compact_nodes=False, balanced_tree=False)
        distances[: len(apart)] = tree.query(apart)[0]
    return float(np.percentile(distances, 95.0))


def _positions(mask: Mask, spacing: Sequence[float]) -> NDArray[np.float64]:
    """(N, 3) voxel centres in mm."""
    return np.argwhere(mask).astype(np.float64) * np.asarray(spacing, dtype=np.float64)
