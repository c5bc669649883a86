"""Pictures of an upload: PNG, JPEG or TIFF. Their pixels have no physical size."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bratsseg.service.refusal import Refusal

MOST_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "TIFF")


def open_picture(path: Path, name: str) -> Image.Image:
    """Decode a picture whole; a ``Refusal``: 413 when it has too many pixels, 422 when it is damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(path, formats=FORMATS)
            if picture.width * picture.height > MOST_PIXELS:
                raise Refusal(413, "too_large", f"{name}: may have at most {MOST_PIXELS:,} pixels")
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refusal(413, "too_large", f"{name}: may have at most {MOST_PIXELS:,} pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise Refusal(422, "unreadable", f"{name}: is damaged or cut short; save it again") from error
    return picture


def check_picture(path: Path, name: str) -> None:
    """Check a picture to its last pixel; a ``Refusal`` as of ``open_picture``, and 422 when every pixel is the same."""
    with open_picture(path, name) as picture:
        pixels = np.asarray(picture)
    if pixels.size == 0 or pixels.min() == pixels.max():
        raise Refusal(422, "content_invalid", f"{name}: a picture must have contrast, every pixel is the same")
