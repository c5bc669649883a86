"""Gallery: the cuts that a report of one case shows, in rows of one view with a column for each modality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bratsseg.report.measures import Measures
from bratsseg.report.overlay import (
    Codes,
    Grey,
    Window,
    choose_window,
    draw_diameters,
    grey_cut,
    neutral_cut,
    outline_factor,
    outlines,
)
from bratsseg.report.planes import Plane, View, axis_of, plane_at, views_of
from bratsseg.study.brain import Brain, bounding_box
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.study.volume import Box, Study, Volume

_ROOM_MM = 6.0
_ROOM_WITHOUT_SCANS_MM = 25.0
_DRAWN_ON = {Region.WT: Modality.FLAIR, Region.TC: Modality.T1C, Region.ET: Modality.T1C}


@dataclass(frozen=True, eq=False)
class Cut:
    """One picture: ``ground`` (h, w) grey, ``layer`` (H, W) outlines, finer by a whole factor; names for captions."""

    name: str
    plane: Plane
    slices: int
    ground: Grey
    layer: Codes

    @property
    def place(self) -> str:
        """ "axial, slice 78 of 155"; slices count from 1 along the stored axis."""
        view = f"{self.plane.view}, " if self.plane.pixel_mm is not None else ""
        return f"{view}slice {self.plane.index + 1} of {self.slices}"


@dataclass(frozen=True, eq=False)
class Gallery:
    """``rows`` of cuts, each row one view; ``lines`` are cuts with the diameters of a region, by region."""

    rows: tuple[tuple[Cut, ...], ...]
    lines: dict[Region, Cut]


def build_gallery(label_map: LabelMap, measures: Measures, study: Study | None, brain: Brain | None) -> Gallery:
    """Cuts through the largest tumour slice of each view, or through the middle when there is no tumour.

    Without scans the outlines lie on an even ground; with neither scans nor tumour there is nothing to show.
    """
    grid = label_map.grid
    scans = _Scans(study, brain, grid)
    if not scans.volumes and not measures.largest:
        return Gallery((), {})
    box = _frame(label_map, scans, brain)
    rows = []
    for view in views_of(grid):
        axis = axis_of(grid, view)
        index = measures.largest.get(view, (box[axis].start + box[axis].stop - 1) // 2)
        rows.append(_row(label_map, scans, plane_at(grid, view, index, box)))
    lines = {region: _lines(label_map, measures, region, scans, box) for region in Region if _has(measures, region)}
    return Gallery(tuple(rows), lines)


class _Scans:
    """The scans of a case with the intensities to show; ``brain`` counts where it lies on the label map's grid."""

    def __init__(self, study: Study | None, brain: Brain | None, grid: Grid) -> None:
        self.grid = grid
        self.volumes: dict[Modality, Volume] = {} if study is None else {m: study.volumes[m] for m in study.modalities}
        self._windows: dict[Modality, Window] = {}
        for modality, volume in self.volumes.items():
            known = brain is not None and volume.grid.same_as(grid)
            mask: NDArray[np.bool_] | None = brain.mask if known and brain is not None else None
            box = brain.box if known and brain is not None else (slice(None), slice(None), slice(None))
            self._windows[modality] = choose_window(volume, mask, box)

    def ground(self, modality: Modality, plane: Plane) -> Grey:
        return grey_cut(self.volumes[modality], self.grid, plane, self._windows[modality])


def _row(label_map: LabelMap, scans: _Scans, plane: Plane) -> tuple[Cut, ...]:
    layer = outlines(label_map, plane.finer(outline_factor(plane)))
    slices = label_map.grid.shape[plane.axis]
    if not scans.volumes:
        return (Cut("outlines without a scan", plane, slices, neutral_cut(plane), layer),)
    return tuple(Cut(m.label, plane, slices, scans.ground(m, plane), layer) for m in scans.volumes)


def _lines(label_map: LabelMap, measures: Measures, region: Region, scans: _Scans, box: Box) -> Cut:
    lines = measures.regions[region].diameters
    assert lines is not None  # asked of _has
    plane = plane_at(label_map.grid, View.AXIAL, lines.slice_index, box)
    finer = plane.finer(outline_factor(plane))
    layer = outlines(label_map, finer)
    draw_diameters(layer, finer, lines)
    name, slices = APPEARANCE[region].name, label_map.grid.shape[plane.axis]
    if not scans.volumes:
        return Cut(name, plane, slices, neutral_cut(plane), layer)
    wanted = _DRAWN_ON[region]
    shown = wanted if wanted in scans.volumes else next(iter(scans.volumes))
    return Cut(f"{name} on {shown.label}", plane, slices, scans.ground(shown, plane), layer)


def _has(measures: Measures, region: Region) -> bool:
    return measures.regions[region].diameters is not None


def _frame(label_map: LabelMap, scans: _Scans, brain: Brain | None) -> Box:
    """What of the grid is shown: the brain; without one the whole scan; without scans the tumour with room around."""
    grid, tumour = label_map.grid, bounding_box(label_map.region(Region.WT))
    whole = tuple(slice(0, size) for size in grid.shape)
    if not grid.physical or (scans.volumes and brain is None):
        return whole[0], whole[1], whole[2]
    boxes = [box for box in (tumour, brain.box if brain is not None else None) if box is not None]
    room = _ROOM_MM if brain is not None else _ROOM_WITHOUT_SCANS_MM
    i, j, k = (
        slice(
            max(0, min(box[axis].start for box in boxes) - round(room / edge)),
            min(size, max(box[axis].stop for box in boxes) + round(room / edge)),
        )
        for axis, (size, edge) in enumerate(zip(grid.shape, grid.spacing or (1.0, 1.0, 1.0), strict=True))
    )
    return i, j, k
