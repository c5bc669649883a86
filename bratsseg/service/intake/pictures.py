"""Pictures of an upload: PNG, JPEG or TIFF. Their pixels have no physical size."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bratsseg.service.refusal import Refusal
from bratsseg.study.checks import LABEL_MAP_VALUES
from bratsseg.study.reading import Content

MOST_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "TIFF")
_KEPT = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGB", "CMYK": "RGB", "I;16": "I;16"}


def open_picture(content: Content, name: str) -> Image.Image:
    """Decode a picture whole; a ``Refusal``: 413 when it has too many pixels, 422 when it is damaged."""
    try:
        with content.open() as stream, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(stream, formats=FORMATS)
            if picture.width * picture.height > MOST_PIXELS:
                raise Refusal(413, "too_large", f"{name}: may have at most {MOST_PIXELS:,} pixels")
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refusal(413, "too_large", f"{name}: may have at most {MOST_PIXELS:,} pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Refusal(422, "unreadable", f"{name}: is damaged or cut short; save it again") from error
    return picture


def check_picture(content: Content, name: str) -> None:
    """Check a picture to its last pixel; a ``Refusal`` as of ``open_picture``, and 422 when every pixel is the same."""
    with open_picture(content, name) as picture:
        if picture.mode not in _KEPT:
            text = f"{name}: must be grey or RGB of 8 bits a channel, or grey of 16, was of mode {picture.mode}"
            raise Refusal(422, "content_invalid", text)
        pixels = np.asarray(picture)
    if pixels.size == 0 or pixels.min() == pixels.max():
        raise Refusal(422, "content_invalid", f"{name}: a picture must have contrast, every pixel is the same")
    if np.unique(pixels).size <= LABEL_MAP_VALUES:
        text = f"{name}: a scan has many shades, this has {np.unique(pixels).size}: is it a mask?"
        raise Refusal(422, "content_invalid", text)


def keep_picture(path: Path, kept: Path) -> None:
    """Write the pixels of a checked picture as PNG, which any browser shows, without what else was in the file."""
    with open_picture(Content(path), "the picture") as picture:
        mode = _KEPT[picture.mode]
        (picture if picture.mode == mode else picture.convert(mode)).save(kept, "PNG")
