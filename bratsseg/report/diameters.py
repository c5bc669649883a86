"""The two diameters of RANO: the longest one on an axial slice, and the longest one perpendicular to it.

Papers: Macdonald, J Clin Oncol 1990;8:1277; Wen, J Clin Oncol 2010;28:1963; Wen, J Clin Oncol 2023;41:5187 (RANO 2.0).
As in the automatic reading of Chang, Neuro-Oncology 2019;21:1412, the contour runs halfway between the last voxel
inside and the first outside, so that a single voxel measures its own width (pyradiomics' Maximum2DDiameter draws its
surface there too). Both lines are those of the contour's convex hull: a ring is measured across its middle, as RANO
asks for a tumour with a necrotic centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from bratsseg.report.planes import View, axis_of
from bratsseg.study.brain import bounding_box
from bratsseg.study.grid import Grid

Points = NDArray[np.float64]
_TOUCHING = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Diameters:
    """Two perpendicular diameters on one axial slice.

    ``slice_index`` counts from 0 along the voxel axis closest to superior-inferior. ``ends`` (4, 3) are voxel
    coordinates: both ends of the longest, both of the perpendicular.
    """

    longest_mm: float
    perpendicular_mm: float
    slice_index: int
    ends: Points

    @property
    def product_mm2(self) -> float:
        """RANO's bidimensional product in mm²."""
        return self.longest_mm * self.perpendicular_mm


def bidimensional(mask: NDArray[np.bool_], grid: Grid) -> Diameters | None:
    """The diameters of (I, J, K) bool on the axial slice, and the part of it, where their product is largest.

    Parts of a slice that do not touch (8-connected) are measured apart. The first of equal slices counts. None when
    there is nothing, or when the grid has no physical size.
    """
    box = bounding_box(mask)
    if box is None or not grid.physical:
        return None
    axis = axis_of(grid, View.AXIAL)
    plane = [other for other in range(3) if other != axis]
    # Isometric coordinates in the slice's own plane: right too where voxels are anisotropic, oblique or sheared.
    to_mm = np.linalg.qr(grid.affine[:3, plane])[1]
    corner = np.array([part.start for part in box], dtype=np.float64)
    slices = np.moveaxis(mask[box], axis, 0)
    best: Diameters | None = None
    for index in np.flatnonzero(slices.any(axis=(1, 2))):
        for contour in _contours(slices[index]):
            found = _diameters(contour, to_mm, 0.0 if best is None else best.product_mm2)
            if found is not None:
                longest, perpendicular, ends = found
                where = np.insert(ends, axis, index, axis=1) + corner
                best = Diameters(longest, perpendicular, int(index) + box[axis].start, where)
    return best


def _contours(slice_: NDArray[np.bool_]) -> list[Points]:
    """For each part of a slice the points halfway between a voxel inside and its 4-neighbour outside, (N, 2)."""
    parts, _ = ndimage.label(slice_, structure=_TOUCHING)
    contours = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        part = np.pad(parts[rows, columns] == number, 1)
        down, across = np.argwhere(part[1:] != part[:-1]), np.argwhere(part[:, 1:] != part[:, :-1])
        points = np.concatenate([np.add(down, (0.5, 0.0)), np.add(across, (0.0, 0.5))])
        contours.append(np.add(points, (rows.start - 1, columns.start - 1)))
    return contours


def _diameters(contour: Points, to_mm: Points, to_beat: float) -> tuple[float, float, Points] | None:
    """(longest, perpendicular, ends (4, 2) in voxels) of one contour when their product exceeds ``to_beat``."""
    points = contour @ to_mm.T
    if float((np.ptp(points, axis=0) ** 2).sum()) <= to_beat:  # no product can exceed the squared diagonal
        return None
    hull = points[ConvexHull(points).vertices]
    apart = squareform(pdist(hull))
    first, last = np.unravel_index(int(apart.argmax()), apart.shape)
    longest = float(apart[first, last])
    along = (hull[last] - hull[first]) / longest
    frame = np.stack([along, [-along[1], along[0]]])
    low, high, where = _longest_chord((hull - hull[first]) @ frame.T)
    if longest * (high - low) <= to_beat * (1 + 1e-9):
        return None
    chord = hull[first] + np.array([[where, low], [where, high]]) @ frame
    ends = np.concatenate([hull[[first, last]], chord]) @ np.linalg.inv(to_mm).T
    return longest, high - low, ends


def _longest_chord(hull: Points) -> tuple[float, float, float]:
    """The longest chord along the second axis of a convex polygon whose diameter lies on the first: (low, high, where).

    Its length is concave and piecewise linear along the diameter, with its knots at the corners: one of these is best.
    """
    upper, lower = (hull[hull[:, 1] * sign >= -1e-9] for sign in (1, -1))
    upper, lower = (side[np.argsort(side[:, 0], kind="stable")] for side in (upper, lower))
    tops, bottoms = (np.interp(hull[:, 0], side[:, 0], side[:, 1]) for side in (upper, lower))
    best = int((tops - bottoms).argmax())
    return float(bottoms[best]), float(tops[best]), float(hull[best, 0])
