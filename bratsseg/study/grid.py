"""Where voxels are: shape and affine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAME_GRID_TOLERANCE_MM = 0.1


@dataclass(frozen=True, eq=False)
class Grid:
    """A voxel grid in the patient's frame.

    ``shape`` is (I, J, K); ``affine`` is 4x4 float64 and takes voxel indices to RAS mm. ``physical`` is False for a
    picture, whose pixels have no size: then ``spacing`` and ``voxel_ml`` are None and no mm or mL may be printed.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    physical: bool = True

    @classmethod
    def of(cls, shape: ArrayLike, affine: ArrayLike, physical: bool = True) -> Grid:
        """Build a grid from anything array-like."""
        i, j, k = (int(size) for size in np.asarray(shape))
        return cls((i, j, k), np.asarray(affine, dtype=np.float64).reshape(4, 4), physical)

    @cached_property
    def spacing(self) -> tuple[float, float, float] | None:
        """Voxel edge lengths in mm along I, J, K, or None for a picture."""
        if not self.physical:
            return None
        a, b, c = (float(v) for v in np.linalg.norm(self.affine[:3, :3], axis=0))
        return a, b, c

    @cached_property
    def voxel_ml(self) -> float | None:
        """Volume of one voxel in mL, or None for a picture."""
        if not self.physical:
            return None
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @cached_property
    def orientation(self) -> str:
        """Axis codes such as 'RAS' or 'LPS': where each voxel axis points."""
        import nibabel as nib  # noqa: PLC0415 - absent on machines that only train

        return "".join(nib.orientations.aff2axcodes(self.affine))

    def displacement_mm(self, other: Grid) -> float:
        """The largest distance in mm between the same corner voxel of two grids; infinite when shapes differ."""
        if self.shape != other.shape:
            return float("inf")
        last = np.array(self.shape, dtype=np.float64) - 1
        corners = np.array([[x, y, z, 1.0] for x in (0, last[0]) for y in (0, last[1]) for z in (0, last[2])])
        shift = corners @ (self.affine - other.affine).T
        return float(np.linalg.norm(shift[:, :3], axis=1).max())

    def difference(self, other: Grid) -> str:
        """How this grid differs from another, to be said of what lies on it: "lies 2.1 mm apart"."""
        if self.shape == other.shape:
            return f"lies {self.displacement_mm(other):.1f} mm apart"
        sizes = (" x ".join(str(size) for size in grid.shape) for grid in (self, other))
        return f"is {' and not '.join(sizes)} voxels"

    def offset_in(self, other: Grid) -> tuple[int, int, int] | None:
        """Where this grid's first voxel lies among those of ``other``, when its voxels are some of that lattice."""
        start = np.linalg.solve(other.affine, self.affine[:, 3])[:3]
        i, j, k = (int(step) for step in np.rint(start))
        moved = other.affine.copy()
        moved[:, 3] = other.affine @ (i, j, k, 1)
        return (i, j, k) if self.same_as(Grid(self.shape, moved, other.physical)) else None

    def same_as(self, other: Grid) -> bool:
        """True when every corner of the two grids lies within 0.1 mm."""
        return self.displacement_mm(other) <= SAME_GRID_TOLERANCE_MM
