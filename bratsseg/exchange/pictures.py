"""Masks of pictures: one file a slice, named and sized as the picture it belongs to, 0 and 255."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bratsseg.results.filenames import MASK
from bratsseg.study.layout.roles import TIFF_SUFFIXES
from bratsseg.study.stack import is_stack, members

DIALECT = "whole-tumour"
"""What the values of these masks mean."""


def mask_pattern(source: Path) -> str:
    """What the masks of a picture or a stack are called: ``x_*.tif`` gives ``x_*_mask.tif``, ``x.jpg`` ``x_mask.png``.

    JPEG blurs edges, so its masks are PNG.
    """
    suffix = ".tif" if source.suffix.lower() in TIFF_SUFFIXES else ".png"
    return f"{source.stem}{MASK}{suffix}"


def slice_names(source: Path, pattern: str) -> list[str]:
    """The masks' names, in the order of the slices: ``pattern`` with each slice's own number."""
    if not is_stack(source):
        return [pattern]
    before, _, after = source.name.partition("*")
    numbers = [member.path.name[len(before) : len(member.path.name) - len(after)] for member in members(source)]
    return [pattern.replace("*", number) for number in numbers]


def mask_pictures(mask: NDArray[np.bool_], names: list[str]) -> dict[str, bytes]:
    """(I, J, K) bool as K pictures of 0 and 255, by name."""
    return _pictures(mask.astype(np.uint8) * np.uint8(255), names)


def heat_pictures(probability: NDArray[np.float32], names: list[str]) -> dict[str, bytes]:
    """A probability (I, J, K) float32 in [0, 1] as K pictures of 0 to 255, by name."""
    return _pictures(np.rint(np.clip(probability, 0, 1) * 255).astype(np.uint8), names)


def _pictures(values: NDArray[np.uint8], names: list[str]) -> dict[str, bytes]:
    files = {}
    for k, name in enumerate(names):
        stream = io.BytesIO()
        # A picture's rows are J and its columns I (see study.reading.picture).
        picture = Image.fromarray(np.ascontiguousarray(values[:, :, k].T))
        picture.save(stream, format="TIFF" if Path(name).suffix in TIFF_SUFFIXES else "PNG")
        files[name] = stream.getvalue()
    return files
