"""Measures of a label map: volumes, lesions, diameters, side. The one place for each of them.

Everything in mm or mL comes from the affine; a picture, whose pixels have no size, gets None and never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from bratsseg.report.diameters import Diameters, bidimensional
from bratsseg.report.planes import View, axis_of, fullest, views_of
from bratsseg.study.brain import Brain, bounding_box
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region

LESION_ML = 0.05
"""The smallest part that counts as a lesion, 50 mm³ as in the lesion-wise metrics of BraTS 2023."""
ONE_SIDE = 0.9
"""A tumour lies on one side when this share of its volume does."""
MIDLINE_MM = 10.0
"""Else it lies in the midline when half of it lies within this distance of the middle plane."""
_MIRROR_STEP_MM = 5.0


class Side(StrEnum):
    """Where a tumour lies, as a report says it."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"
    BOTH = "both sides"


@dataclass(frozen=True)
class Location:
    """Where the whole tumour lies. ``share_right`` in [0, 1]; ``centroid`` in RAS mm; ``middle`` names the plane.

    ``side`` and ``share_right`` are None when the middle of the head is not known.
    """

    side: Side | None
    share_right: float | None
    centroid: tuple[float, float, float]
    middle: str


@dataclass(frozen=True, eq=False)
class RegionMeasures:
    """One region. ``lesions`` and ``specks`` are 26-connected parts of at least and of less than 50 mm³.

    In a picture every part is a lesion. All is None but ``assessable`` where the region was not looked for.
    """

    assessable: bool
    voxels: int | None = None
    volume_ml: float | None = None
    lesions: int | None = None
    specks: int | None = None
    diameters: Diameters | None = None

    @property
    def found(self) -> bool:
        """True when there is any."""
        return bool(self.voxels)


@dataclass(frozen=True, eq=False)
class Measures:
    """All measures of one label map. ``largest`` is the slice with most of the whole tumour, by view."""

    regions: dict[Region, RegionMeasures]
    location: Location | None
    largest: dict[View, int]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a file; lengths in mm, areas in mm², volumes in mL, positions in RAS mm."""
        where = self.location
        return {
            "regions": {str(region): _region_json(found) for region, found in self.regions.items()},
            "side": None if where is None or where.side is None else str(where.side),
            "share_right": None if where is None or where.share_right is None else round(where.share_right, 3),
            "centroid_ras_mm": None if where is None else [round(value, 1) for value in where.centroid],
            "middle": None if where is None else where.middle,
            "largest_slice": {str(view): index for view, index in self.largest.items()},
        }


def measure(label_map: LabelMap, brain: Brain | None = None) -> Measures:
    """Measure every region; ``brain`` on the same grid says where the middle of the head is."""
    whole, grid = label_map.region(Region.WT), label_map.grid
    largest = {view: fullest(whole, axis_of(grid, view)) for view in views_of(grid)}
    return Measures(
        {region: measure_region(label_map, region) for region in Region},
        locate(whole, grid, brain),
        {view: index for view, index in largest.items() if index is not None},
    )


def measure_region(label_map: LabelMap, region: Region) -> RegionMeasures:
    """Volume, lesions and diameters of one region."""
    if region not in label_map.assessable:
        return RegionMeasures(False)
    mask, grid = label_map.region(region), label_map.grid
    lesions, specks = count_lesions(mask, grid)
    return RegionMeasures(
        True,
        int(np.count_nonzero(mask)),
        label_map.volume_ml(region),
        lesions,
        specks,
        bidimensional(mask, grid),
    )


def count_lesions(mask: NDArray[np.bool_], grid: Grid) -> tuple[int, int]:
    """How many 26-connected parts of (I, J, K) bool have at least 50 mm³, and how many less; of a picture all count."""
    box = bounding_box(mask)
    if box is None:
        return 0, 0
    parts = cc3d.connected_components(mask[box], connectivity=26)
    sizes = np.bincount(parts.ravel())[1:]
    smallest = 1.0 if grid.voxel_ml is None else LESION_ML / grid.voxel_ml
    lesions = int(np.count_nonzero(sizes >= smallest - 1e-6))
    return lesions, int(np.count_nonzero(sizes)) - lesions


def locate(mask: NDArray[np.bool_], grid: Grid, brain: Brain | None = None) -> Location | None:
    """Side and centre of (I, J, K) bool in RAS mm, or None when it is empty or the grid says nothing of the patient.

    The middle is the brain's own plane (``middle_plane``). Without a brain it is x = 0 of the scan's coordinates, and
    only where that is near the middle of the scan: many files count from a corner, and then no side is given.
    """
    if not grid.physical or not mask.any():
        return None
    x, y, z = _ras(np.argwhere(mask), grid)
    centroid = (float(x.mean()), float(y.mean()), float(z.mean()))
    if brain is None and abs(_ras(np.array([grid.shape]) / 2, grid)[0, 0]) > MIDLINE_MM * 2:
        return Location(None, None, centroid, "")
    offset, by_y, by_z = (0.0, 0.0, 0.0) if brain is None else middle_plane(brain.mask, grid)
    right_of_middle = x - (offset + by_y * y + by_z * z)
    share = float((right_of_middle > 0).mean())
    if max(share, 1 - share) >= ONE_SIDE:
        side = Side.RIGHT if share > 0.5 else Side.LEFT
    else:
        side = Side.MIDLINE if float((np.abs(right_of_middle) <= MIDLINE_MM).mean()) >= 0.5 else Side.BOTH
    middle = "x = 0 of the scan's coordinates" if brain is None else "the middle plane of the brain"
    return Location(side, share, centroid, middle)


def middle_plane(brain: NDArray[np.bool_], grid: Grid) -> tuple[float, float, float]:
    """The brain's middle plane x = a + b·y + c·z in RAS mm: (a, b, c).

    The plane about which (I, J, K) bool is most nearly its own mirror image, found from x = the brain's centre on by
    the simplex method over every few millimetres: a turned or tilted head has a turned or tilted middle.
    """
    strides = [max(1, round(_MIRROR_STEP_MM / edge)) for edge in grid.spacing or (1.0, 1.0, 1.0)]
    points = _ras(np.argwhere(brain[:: strides[0], :: strides[1], :: strides[2]]) * strides, grid)
    centre = points.mean(axis=1, keepdims=True)
    back = np.linalg.inv(grid.affine)
    stored = brain.view(np.uint8)

    def unlike_its_mirror(plane: NDArray[np.float64]) -> float:
        normal = np.array([1.0, -plane[1], -plane[2]])[:, None]
        distance = (normal * (points - centre)).sum(axis=0) - plane[0]
        mirrored = points - 2 * distance * normal / (normal**2).sum()
        voxels = back[:3, :3] @ mirrored + back[:3, 3:]
        return -float(ndimage.map_coordinates(stored, voxels, np.float32, order=1).mean())

    start = np.array([[0, 0, 0], [4.0, 0, 0], [0, 0.15, 0], [0, 0, 0.15]])
    options = {"initial_simplex": start, "xatol": 0.02, "fatol": 1e-5, "maxiter": 80}
    offset, b, c = optimize.minimize(unlike_its_mirror, start[0], method="Nelder-Mead", options=options).x
    x, y, z = centre[:, 0]
    return float(x + offset - b * y - c * z), float(b), float(c)


def _ras(voxels: NDArray[Any], grid: Grid) -> NDArray[np.float64]:
    """Voxel coordinates (N, 3) → RAS mm (3, N)."""
    found: NDArray[np.float64] = grid.affine[:3, :3] @ voxels.T + grid.affine[:3, 3:]
    return found


def _region_json(found: RegionMeasures) -> dict[str, Any]:
    lines = found.diameters
    return {
        "assessable": found.assessable,
        "voxels": found.voxels,
        "volume_ml": None if found.volume_ml is None else round(found.volume_ml, 4),
        "lesions": found.lesions,
        "specks": found.specks,
        "longest_axial_mm": None if lines is None else round(lines.longest_mm, 2),
        "perpendicular_mm": None if lines is None else round(lines.perpendicular_mm, 2),
        "product_mm2": None if lines is None else round(lines.product_mm2, 1),
        "axial_slice": None if lines is None else lines.slice_index,
    }
