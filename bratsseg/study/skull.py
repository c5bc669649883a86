"""The dark ring that bone leaves below the scalp of a head whose air alone was blanked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bratsseg.study.air import TissueLevels, brightness_above, faces
from bratsseg.study.volume import Volume

# Share of voxels 6 to 12 mm below the surface that are darker than .4 of the median further inside. Measured:
# brain-extracted scans of five sources 0 to .05, heads .12 to .58.
RING_DEPTH_MM = (6.0, 12.0)
RING_DARK_SHARE = 0.1
RING_DARKNESS = 0.4
RING_STEP_MM = 3.0
# Voxels that are coarser in two directions do not show a ring, and what is larger is no head.
COARSEST_MM = 5.0
LARGEST_MM = 400.0
# A dark ball of this radius fits into the cavity of an operation, and into no bone; where a dark scalp and the bone
# below it are as thick together, they go around the head and are longer than any cavity.
CAVITY_MM = 9.0
LONGEST_CAVITY_MM = 110.0
# As much of the tissue at exactly its smallest value was cut off there: water is then as dark as bone. Of synthetic
# brains cut so the ring is seldom 2.5 times as dark as the deep inside; where it is, the surface, where water lies, is
# mostly 1.35 times as dark as the ring. Of heads cut so 5 in 8 are told by it, of whole heads 6 in 8.
CUT_SHARE = 0.02
DEEP_MM = (25.0, 40.0)
OVER_DEEP, UNDER_SURFACE = 2.5, 1.35
# The more was cut off, the higher above air lies the smallest value that is left, and the less above it lies cortex.
DARKNESS_LOST_BY_CUT, LEAST_DARKNESS = 9.0, 0.25

Mask = NDArray[np.bool_]


def dark_ring(volume: Volume) -> float:
    """The share of voxels 6 to 12 mm below the surface that are as dark as bone, and are no cavity or water."""
    spacing = volume.grid.spacing
    if spacing is None or sorted(spacing)[1] > COARSEST_MM:
        return 0.0
    layers = _Layers.of(volume.voxels, spacing)
    if layers is None:
        return 0.0
    share = layers.dark_share(RING_DEPTH_MM)
    if share <= RING_DARK_SHARE:
        return share
    if layers.cut and layers.is_water(share):
        return 0.0
    return layers.without_cavity().dark_share(RING_DEPTH_MM)


@dataclass(frozen=True, eq=False)
class _Layers:
    """On a raster of about 3 mm: ``depth`` (I, J, K) in mm below the surface, 0 outside, and what is as ``dark`` as
    bone; ``cut`` that the darkest values of the scan were cut off.
    """

    depth: NDArray[np.float64]
    dark: Mask
    edges: tuple[float, ...]
    cut: bool

    @classmethod
    def of(cls, voxels: NDArray[Any], spacing: tuple[float, ...]) -> _Layers | None:
        """None where nothing stands out from the air, or what does is too large to be a head."""
        step = tuple(max(1, round(RING_STEP_MM / edge)) for edge in spacing)
        coarse = np.asarray(voxels[:: step[0], :: step[1], :: step[2]], dtype=np.float32)
        edges = tuple(edge * stride for edge, stride in zip(spacing, step, strict=True))
        air = float(np.median(np.concatenate([face.ravel() for face in faces(coarse)])))
        tissue = TissueLevels.of(coarse, air)
        if tissue.amid or tissue.far_below:  # put air where a scanner has it: just below all tissue
            coarse = np.where(coarse == air, 0.0, np.maximum(coarse - tissue.floor, 0.0))
            air = 0.0
        above = coarse - air
        bright = brightness_above(coarse, air)
        head = _largest(above > 0.1 * bright, through=int(np.argmax(edges)))
        if head is None or _longest(head, edges) > LARGEST_MM:
            return None
        box = ndimage.find_objects(head.view(np.uint8))[0]  # nothing outside it is nearer than its rim
        above = above[box]
        depth = ndimage.distance_transform_edt(np.pad(head[box], 1), sampling=edges)[1:-1, 1:-1, 1:-1]
        inner = above[depth > RING_DEPTH_MM[1]]
        usual = float(np.median(inner)) if inner.size else bright
        lost = DARKNESS_LOST_BY_CUT * max(0.0, tissue.cut_share - CUT_SHARE)
        darkness = RING_DARKNESS * max(LEAST_DARKNESS, 1 - lost)
        return cls(depth, above < darkness * usual, edges, tissue.cut_share > CUT_SHARE)

    def dark_share(self, between: tuple[float, float]) -> float:
        """How much of the layer between two depths in mm is dark; 0 where there is no such layer."""
        layer = (self.depth > between[0]) & (self.depth <= between[1])
        return float(self.dark[layer].mean()) if layer.any() else 0.0

    def is_water(self, ring: float) -> bool:
        """True when the ring is no darker than the deep inside, or much less dark than the surface: no bone is so."""
        surface, deep = self.dark_share((0.0, RING_DEPTH_MM[0])), self.dark_share(DEEP_MM)
        return ring < OVER_DEEP * deep or surface > UNDER_SURFACE * ring

    def without_cavity(self) -> _Layers:
        """The same with the largest wide dark place, such as an operation leaves, not taken for dark."""
        import cc3d  # noqa: PLC0415 - absent on machines that only train

        dark = self.dark & (self.depth > 0)
        wide = ndimage.distance_transform_edt(np.pad(dark, 1), sampling=self.edges)[1:-1, 1:-1, 1:-1] > CAVITY_MM
        cores = cc3d.connected_components(wide, connectivity=6)
        if not cores.any():
            return self
        core = cores == int(np.bincount(cores.ravel())[1:].argmax()) + 1
        if _longest(core, self.edges) > LONGEST_CAVITY_MM:
            return self
        around = ndimage.distance_transform_edt(~core, sampling=self.edges) <= CAVITY_MM + RING_STEP_MM
        return _Layers(self.depth, self.dark & ~around, self.edges, self.cut)


def _largest(bright: Mask, through: int) -> Mask | None:
    """The largest connected object, holes filled in the planes across axis ``through``, which are sampled best."""
    import cc3d  # noqa: PLC0415 - absent on machines that only train

    box = next(iter(ndimage.find_objects(bright.view(np.uint8))), None)
    if box is None:
        return None
    in_plane = ndimage.generate_binary_structure(3, 1)
    in_plane[tuple(slice(0, 3, 2) if axis == through else slice(None) for axis in range(3))] = False
    regions = cc3d.connected_components(ndimage.binary_fill_holes(bright[box], in_plane), connectivity=6)
    found = np.zeros(bright.shape, dtype=bool)
    found[box] = regions == int(np.bincount(regions.ravel())[1:].argmax()) + 1
    return found


def _longest(head: Mask, edges: tuple[float, ...]) -> float:
    """The longest side of its box in mm."""
    return max(float(np.ptp(np.flatnonzero(head.any(axis=tuple({0, 1, 2} - {a}))))) * edges[a] for a in range(3))
