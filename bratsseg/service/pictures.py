"""Results of pictures: what share of the image was outlined, and the outline over the scan. Never mm or mL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from bratsseg.study.regions import APPEARANCE, Region

FILES = {"mask.png": "picture_mask.png", "heatmap.png": "picture_prob_WT.png", "overlay.png": "picture_overlay.png"}
"""Public names of a picture's results, and what they are called beside the record."""


def finish_picture(folder: Path, results: Path, measures: dict[str, Any]) -> dict[str, Any]:
    """Write the overlay; returns ``{pixels, of, percent}``: what was outlined, and its share of the image."""
    with Image.open(folder / "picture.png") as scan:
        ground = _grey(np.asarray(scan.convert("RGB") if scan.mode != "I;16" else scan))
    with Image.open(results / FILES["mask.png"]) as written:
        mask = np.asarray(written.convert("L")) > 0
    edge = mask & ~ndimage.binary_erosion(mask)
    ground[edge] = APPEARANCE[Region.WT].colour
    Image.fromarray(ground).save(results / FILES["overlay.png"], "PNG")
    pixels = int(measures["regions"][str(Region.WT)]["voxels"] or 0)
    return {"pixels": pixels, "of": int(mask.size), "percent": round(100 * pixels / mask.size, 2)}


def _grey(pixels: np.ndarray) -> np.ndarray:
    """Any picture as 8-bit RGB (rows, columns, 3)."""
    if pixels.ndim == 3:
        return pixels.copy()
    scale = 255.0 / max(1, int(pixels.max()))
    return np.repeat((pixels * scale).astype(np.uint8)[..., None], 3, axis=2)
