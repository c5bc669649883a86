"""Contact sheet: one row of cuts a case, many cases on one picture, to look through a data set at a glance."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from bratsseg.report.gallery import Gallery
from bratsseg.report.overlay import Colour
from bratsseg.report.picture import mosaic

_GAP = 6


def contact_sheet(galleries: Sequence[Gallery], height: int = 200) -> bytes:
    """PNG with the first row of each gallery, ``height`` pixels each, from the top down in the order given."""
    rows = [row for gallery in galleries if (row := _row(gallery, height)) is not None]
    width = max((row.shape[1] for row in rows), default=1)
    canvas = Image.new("RGB", (width, max(len(rows) * (height + _GAP) - _GAP, 1)))
    for number, row in enumerate(rows):
        canvas.paste(Image.fromarray(row), (0, number * (height + _GAP)))
    stream = io.BytesIO()
    canvas.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _row(gallery: Gallery, height: int) -> Colour | None:
    cuts = mosaic(Gallery(gallery.rows[:1], {}))
    if cuts is None:
        return None
    width = max(round(cuts.shape[1] * height / cuts.shape[0]), 1)
    return np.asarray(Image.fromarray(cuts).resize((width, height), Image.Resampling.LANCZOS))
