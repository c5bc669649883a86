"""Picture: a case as one PNG, and the small pictures and mosaics that sheets and indexes use."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import reportlab
from PIL import Image, ImageDraw, ImageFont

from bratsseg.report import phrases
from bratsseg.report.case_facts import CaseFacts
from bratsseg.report.gallery import Cut, Gallery
from bratsseg.report.overlay import Colour, compose, jpeg
from bratsseg.study.regions import APPEARANCE, Region

CELL = 320
"""Width in pixels that a cut may have in a mosaic."""
SMALL = 112
"""Longer side in pixels of the small picture on an index."""
_GAP, _EDGE = 6, 24
_DARK, _LIGHT, _SOFT = (14, 16, 19), (240, 242, 244), (168, 176, 186)
_FONTS = Path(reportlab.__file__).parent / "fonts"


def case_png(facts: CaseFacts, cuts: Colour | None) -> bytes:
    """One picture: name, headline, legend, the mosaic ``cuts``, and what it may be used for."""
    width = max(CELL * 3, 0 if cuts is None else cuts.shape[1]) + 2 * _EDGE
    lines = [
        (latin(facts.result.case), 26, _LIGHT),
        (latin(facts.headline), 18, _LIGHT),
        *((f"{row.name}: {latin(row.answer)}", 15, _SOFT) for row in facts.rows()),
    ]
    top = [part for text, size, ink in lines for part in _wrapped(text, size, ink, width - 2 * _EDGE)]
    low = list(_wrapped(latin(phrases.RESEARCH_USE), 14, _SOFT, width - 2 * _EDGE))
    middle = 0 if cuts is None else cuts.shape[0] + 2 * _GAP
    height = 2 * _EDGE + sum(size + 8 for _, size, _ in (*top, *low)) + middle
    canvas = Image.new("RGB", (width, height), _DARK)
    y = _write(canvas, top, _EDGE)
    if cuts is not None:
        canvas.paste(Image.fromarray(cuts), ((width - cuts.shape[1]) // 2, y + _GAP))
        y += middle
    _write(canvas, low, y)
    for number, row in enumerate(facts.rows()):
        _swatch(canvas, number, len(facts.rows()), top, APPEARANCE[row.region].colour)
    return _with_palette(canvas)


def small_jpeg(gallery: Gallery) -> bytes | None:
    """The first cut, small; None when there is none."""
    if not gallery.rows:
        return None
    shown = gallery.rows[0][0]
    return jpeg(compose(shown.ground, shown.layer), SMALL)


def mosaic(gallery: Gallery) -> Colour | None:
    """All cuts in rows of one view, the diameters last, (H, W, 3) uint8 RGB at one scale; None when there is none."""
    rows = [row for row in (*gallery.rows, tuple(gallery.lines.values())) if row]
    if not rows:
        return None
    scale = CELL / max(_size(cut)[0] for row in rows for cut in row)
    columns = max(len(row) for row in rows)
    heights = [max(round(_size(cut)[1] * scale) for cut in row) for row in rows]
    canvas = Image.new("RGB", (columns * (CELL + _GAP) - _GAP, sum(heights) + _GAP * (len(heights) - 1)))
    y = 0
    for row, height in zip(rows, heights, strict=True):
        for column, cut in enumerate(row):
            canvas.paste(_cell(cut, scale, height), (column * (CELL + _GAP), y))
        y += height + _GAP
    return np.asarray(canvas)


def latin(text: str) -> str:
    """``text`` in the characters that the built-in fonts have; others as their escape, so that names stay apart."""
    return text.replace("−", "-").encode("cp1252", "backslashreplace").decode("cp1252")


def _size(cut: Cut) -> tuple[float, float]:
    """(width, height) in mm; of a picture in pixels."""
    pixel = cut.plane.pixel_mm or 1.0
    return cut.plane.shape[1] * pixel, cut.plane.shape[0] * pixel


def _cell(cut: Cut, scale: float, height: int) -> Image.Image:
    cell = Image.new("RGB", (CELL, height))
    width, own = (max(1, round(size * scale)) for size in _size(cut))
    shown = Image.fromarray(compose(cut.ground, cut.layer)).resize((width, own), Image.Resampling.BILINEAR)
    cell.paste(shown, ((CELL - width) // 2, (height - own) // 2))
    draw = ImageDraw.Draw(cell)
    left, up, right, _ = cut.plane.letters
    words = (
        ((6, 4), latin(cut.name), _font(14, bold=True), "la"),
        ((6, height - 5), latin(cut.place), _font(11), "ls"),
        ((6, height // 2), left, _font(13), "lm"),
        ((CELL - 6, height // 2), right, _font(13), "rm"),
        ((CELL - 6, 4), up and f"{up} up", _font(11), "ra"),
    )
    for place, text, font, anchor in words:
        draw.text(place, text, _LIGHT, font, anchor, stroke_width=2, stroke_fill=(0, 0, 0))
    return cell


_Line = tuple[str, int, tuple[int, int, int]]


def _wrapped(text: str, size: int, ink: tuple[int, int, int], width: int) -> Iterator[_Line]:
    """``text`` in as many lines as it needs; a word that is wider than a line is cut."""
    font, line = _font(size), ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            yield line, size, ink
        line = word
        while font.getlength(line) > width:
            fits = next(count for count in range(len(line) - 1, 0, -1) if font.getlength(line[:count]) <= width)
            yield line[:fits], size, ink
            line = line[fits:]
    yield line, size, ink


def _write(canvas: Image.Image, lines: list[_Line], y: int) -> int:
    draw = ImageDraw.Draw(canvas)
    for text, size, ink in lines:
        indent = 22 if size == 15 else 0
        draw.text((_EDGE + indent, y), text, ink, _font(size, bold=size == 26))
        y += size + 8
    return y


def _swatch(canvas: Image.Image, number: int, of: int, lines: list[_Line], ink: tuple[int, int, int]) -> None:
    """A square of a region's colour before its line; the regions' lines are the last ``of``."""
    before = sum(size + 8 for _, size, _ in lines[: len(lines) - of + number])
    y = _EDGE + before + 3
    ImageDraw.Draw(canvas).rectangle((_EDGE, y, _EDGE + 12, y + 12), ink)


def _with_palette(canvas: Image.Image) -> bytes:
    """The picture as PNG of one byte a pixel: greys, and the regions' own colours."""
    inks = [APPEARANCE[region].colour for region in Region]
    greys = [(round(step * 255 / 252),) * 3 for step in range(253)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for ink in (*greys, *inks) for value in ink])
    stream = io.BytesIO()
    canvas.quantize(palette=palette, dither=Image.Dither.NONE).save(stream, format="PNG")
    return stream.getvalue()


@cache
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / ("VeraBd.ttf" if bold else "Vera.ttf"), size)
