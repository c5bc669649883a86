"""Overlay: cuts of every modality in grey, and the outlines of the regions over them. Equal input, equal pixels."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from bratsseg.report.diameters import Diameters
from bratsseg.report.planes import Plane
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.study.volume import Box, Volume

Grey = NDArray[np.uint8]
Colour = NDArray[np.uint8]
Codes = NDArray[np.uint8]

NEUTRAL = 72
"""Grey of the ground where no scan is at hand."""
OUTLINE_PIXELS = 600
"""About how many pixels the longer side of the outlines has."""
_WIDTH = {Region.WT: 3, Region.TC: 3, Region.ET: 2}  # an inner outline leaves a rim of the one that it coincides with
_DARK, _LIGHT = 4, 5
_COLOURS = np.array(
    [(0, 0, 0), *(APPEARANCE[region].colour for region in Region), (0, 0, 0), (255, 255, 255)], dtype=np.uint8
)


@dataclass(frozen=True)
class Window:
    """The intensities shown as black and as white."""

    low: float
    high: float


def choose_window(volume: Volume, brain: NDArray[np.bool_] | None, box: Box) -> Window:
    """From the 1st to the 99.5th percentile of the brain, (I, J, K) bool on the volume's grid.

    Without a brain, of what is not air. A coarse sample inside ``box`` is enough.
    """
    values = volume.values(box)[::2, ::2, ::2]
    inside = values > values.min() if brain is None else brain[box][::2, ::2, ::2]
    chosen = values[inside] if inside.any() else values.ravel()
    low, high = (float(value) for value in np.percentile(chosen, (1.0, 99.5)))
    return Window(low, high if high > low else low + 1.0)


def grey_cut(volume: Volume, grid: Grid, plane: Plane, window: Window) -> Grey:
    """One volume on a plane of ``grid``, (H, W) uint8, linear between voxels; black outside the volume.

    The volume may have a grid of its own: it is then looked up in RAS mm.
    """
    black = (window.low - volume.intercept) / volume.slope
    if volume.grid.same_as(grid):
        stored = _looked_up(volume.voxels, plane, "grid-constant", black)
    else:
        way = np.linalg.inv(volume.grid.affine) @ grid.affine
        voxels = np.tensordot(way[:3, :3], plane.voxels(), axes=1) + way[:3, 3][:, None, None]
        stored = ndimage.map_coordinates(volume.voxels, voxels, np.float32, order=1, mode="grid-constant", cval=black)
    shown = (stored * volume.slope + volume.intercept - window.low) / (window.high - window.low)
    grey: Grey = np.rint(np.clip(shown, 0.0, 1.0) * 255.0).astype(np.uint8)
    return grey


def neutral_cut(plane: Plane) -> Grey:
    """An even ground, (H, W) uint8, for outlines without a scan."""
    return np.full(plane.shape, NEUTRAL, dtype=np.uint8)


def outlines(label_map: LabelMap, plane: Plane) -> Codes:
    """The outlines of WT, TC and ET on a plane, (H, W) uint8 codes: 0 where there is none, otherwise 1, 2, 3."""
    layer = np.zeros(plane.shape, dtype=np.uint8)
    for code, region in enumerate(Region, start=1):
        if region not in label_map.assessable:
            continue
        inside = _looked_up(label_map.region(region).view(np.uint8), plane, "nearest") >= 0.5
        kept = ndimage.binary_erosion(inside, iterations=_WIDTH[region], border_value=1)
        layer[inside & ~kept] = code
    return layer


def outline_factor(plane: Plane) -> int:
    """How many times finer than the scan's pixels its outlines are drawn."""
    return int(np.clip(round(OUTLINE_PIXELS / max(plane.shape)), 1, 4))


def draw_diameters(layer: Codes, plane: Plane, lines: Diameters) -> None:
    """Draw both diameters into codes of ``plane``: light with a dark rim, so that they show on any ground."""
    ends = [plane.pixel_of(voxel) for voxel in lines.ends]
    line = np.zeros(plane.shape, dtype=bool)
    for (row, column), (last_row, last_column) in (ends[:2], ends[2:]):
        steps = int(2 * np.hypot(last_row - row, last_column - column)) + 2
        rows, columns = np.linspace(row, last_row, steps), np.linspace(column, last_column, steps)
        on = (rows >= 0) & (columns >= 0) & (rows < plane.shape[0]) & (columns < plane.shape[1])
        line[rows[on].astype(int), columns[on].astype(int)] = True
    line = ndimage.binary_dilation(line)
    layer[ndimage.binary_dilation(line) & ~line] = _DARK
    layer[line] = _LIGHT


def compose(ground: Grey, layer: Codes) -> Colour:
    """Outlines (H, W) over a ground (h, w), which is enlarged to them: (H, W, 3) uint8 RGB."""
    height, width = layer.shape
    grey = np.asarray(Image.fromarray(ground).resize((width, height), Image.Resampling.BICUBIC))
    return np.where(layer[..., None] > 0, _COLOURS[layer], grey[..., None])


def png(pixels: Grey | Colour) -> bytes:
    """(H, W) grey or (H, W, 3) RGB uint8 as PNG."""
    return _saved(Image.fromarray(pixels), "PNG")


def layer_png(layer: Codes) -> bytes:
    """Outlines (H, W) as PNG with a palette, transparent where there is none."""
    picture = Image.fromarray(layer)
    picture.putpalette(_COLOURS.tobytes())
    return _saved(picture, "PNG", transparency=0)


def jpeg(pixels: Colour, longest: int, quality: int = 82) -> bytes:
    """(H, W, 3) RGB uint8 as a JPEG whose longer side has at most ``longest`` pixels."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return _saved(picture, "JPEG", quality=quality)


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Bytes as a ``data:`` address, so that a page needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _looked_up(voxels: NDArray[Any], plane: Plane, mode: str, outside: float = 0.0) -> NDArray[np.float32]:
    """Voxels (I, J, K) of the plane's own grid at its pixels, (H, W) float32, linear within the slice."""
    slice_ = np.take(voxels, plane.index, axis=plane.axis)
    places = np.delete(plane.voxels(), plane.axis, axis=0)
    found: NDArray[np.float32] = ndimage.map_coordinates(slice_, places, np.float32, order=1, mode=mode, cval=outside)
    return found


def _saved(picture: Image.Image, form: str, **options: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=form, **options)
    return stream.getvalue()
