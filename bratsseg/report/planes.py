"""Planes: axial, coronal and sagittal cuts as a radiologist hangs them, on grids of any orientation and spacing.

Radiological convention: anterior or superior is up; the patient's right is on the left of axial and coronal cuts, and
anterior on the left of sagittal ones. A cut runs along the voxel axes, named by the patient axis that each is closest
to. A picture has no patient axes: it is shown as it is stored, cut along its last voxel axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bratsseg.study.grid import Grid
from bratsseg.study.volume import Box

MOST_PIXELS = 512
_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))


class View(StrEnum):
    """A direction of looking; the value is what a caption says."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


# The patient axis (0 right, 1 anterior, 2 superior) that a view looks along, runs down, and runs across.
_AXES = {View.AXIAL: (2, 1, 0), View.CORONAL: (1, 2, 0), View.SAGITTAL: (0, 2, 1)}


@dataclass(frozen=True, eq=False)
class Plane:
    """A cut through a grid as square pixels.

    ``shape`` is (H, W) pixels. Pixel (h, w) lies at voxel ``corner + (h + .5) * down + (w + .5) * across``, each (3,)
    in voxels of the grid. ``axis`` is the voxel axis that the cut is perpendicular to, ``index`` the voxel on it.
    ``pixel_mm`` is None for a picture. ``letters`` are what lies left, up, right and down (R, A, L, P), "" if unknown.
    """

    view: View
    axis: int
    index: int
    shape: tuple[int, int]
    corner: NDArray[np.float64]
    down: NDArray[np.float64]
    across: NDArray[np.float64]
    pixel_mm: float | None
    letters: tuple[str, str, str, str]

    def finer(self, factor: int) -> Plane:
        """The same cut with ``factor`` times as many pixels each way."""
        return replace(
            self,
            shape=(self.shape[0] * factor, self.shape[1] * factor),
            down=self.down / factor,
            across=self.across / factor,
            pixel_mm=None if self.pixel_mm is None else self.pixel_mm / factor,
        )

    def voxels(self) -> NDArray[np.float64]:
        """The voxel coordinates of every pixel, (3, H, W)."""
        rows, columns = (np.arange(size) + 0.5 for size in self.shape)
        spread = np.multiply.outer(self.down, rows)[:, :, None] + np.multiply.outer(self.across, columns)[:, None, :]
        found: NDArray[np.float64] = self.corner[:, None, None] + spread
        found[self.axis] = self.index
        return found

    def pixel_of(self, voxel: NDArray[np.float64]) -> tuple[float, float]:
        """Where a voxel of this cut lies: (row, column) in pixels from the top left corner."""
        offset = voxel - self.corner
        row, column = (float(offset @ step / (step @ step)) for step in (self.down, self.across))
        return row, column


def views_of(grid: Grid) -> tuple[View, ...]:
    """The views that a grid can be cut along: all three, or for a picture its own slices."""
    return tuple(View) if grid.physical else (View.AXIAL,)


def axis_of(grid: Grid, view: View) -> int:
    """The voxel axis that a view looks along: the one closest to that patient axis; for a picture the last."""
    if not grid.physical:
        return 2
    world = _orientation(grid)[:, 0]
    return int(np.flatnonzero(world == _AXES[view][0])[0])


def plane_at(grid: Grid, view: View, index: int, box: Box) -> Plane:
    """The cut at voxel ``index`` of the view's axis, cropped to ``box``; ``index`` need not lie in the box."""
    axis = axis_of(grid, view)
    spacing = np.array(grid.spacing or (1.0, 1.0, 1.0))
    if grid.physical:
        orientation = _orientation(grid)
        rows, columns = (int(np.flatnonzero(orientation[:, 0] == world)[0]) for world in _AXES[view][1:])
        signs = [-orientation[rows, 1], -orientation[columns, 1]]  # towards the patient's negative axes
        letters = tuple(_LETTERS[world][end] for end in (0, 1) for world in reversed(_AXES[view][1:]))
    else:
        rows, columns, signs, letters = 1, 0, [1.0, 1.0], ("", "", "", "")
    lengths = [(box[a].stop - box[a].start) * spacing[a] for a in (rows, columns)]
    pixel = max(float(min(spacing[rows], spacing[columns])), max(lengths) / MOST_PIXELS)
    corner, steps = np.zeros(3), np.zeros((2, 3))
    corner[axis] = index
    for number, (voxel_axis, sign) in enumerate(zip((rows, columns), signs, strict=True)):
        corner[voxel_axis] = (box[voxel_axis].start if sign > 0 else box[voxel_axis].stop) - 0.5
        steps[number, voxel_axis] = sign * pixel / spacing[voxel_axis]
    height, width = (max(1, round(length / pixel)) for length in lengths)
    left, up, right, low = letters
    pixel_mm = pixel if grid.physical else None
    return Plane(view, axis, index, (height, width), corner, steps[0], steps[1], pixel_mm, (left, up, right, low))


def fullest(mask: NDArray[np.bool_], axis: int) -> int | None:
    """The index along ``axis`` of the slice of (I, J, K) with most voxels, the first of equals; None when empty."""
    counts = np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis))
    return int(counts.argmax()) if counts.any() else None


def _orientation(grid: Grid) -> NDArray[np.float64]:
    """For each voxel axis its patient axis (0 right, 1 anterior, 2 superior) and sign, (3, 2)."""
    found: NDArray[np.float64] = nib.orientations.io_orientation(grid.affine)
    return found
