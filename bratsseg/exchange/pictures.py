"""Masks of pictures: one file a slice, named and sized as the picture it belongs to, 0 and 255."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bratsseg.study.stack import is_stack, members
from bratsseg.study.writing import write_bytes

DIALECT = "whole-tumour"
"""What the values of these masks mean."""
MASK, HEAT = "_mask", "_prob_WT"
"""What the names of masks and of probabilities end in, before the suffix."""
_TIFF = (".tif", ".tiff")


def mask_pattern(source: Path) -> str:
    """What the masks of a picture or a stack are called: ``x_*.tif`` gives ``x_*_mask.tif``, ``x.jpg`` ``x_mask.png``.

    JPEG blurs edges, so its masks are PNG.
    """
    suffix = ".tif" if source.suffix.lower() in _TIFF else ".png"
    return f"{source.stem}{MASK}{suffix}"


def slice_names(source: Path, pattern: str) -> list[str]:
    """The masks' names, in the order of the slices: ``pattern`` with each slice's own number."""
    if not is_stack(source):
        return [pattern]
    before, _, after = source.name.partition("*")
    numbers = [member.path.name[len(before) : len(member.path.name) - len(after)] for member in members(source)]
    return [pattern.replace("*", number) for number in numbers]


def write_masks(mask: NDArray[np.bool_], names: list[str], folder: Path) -> list[Path]:
    """Write (I, J, K) bool as K pictures of 0 and 255; ``WriteError``."""
    return _write(mask.astype(np.uint8) * np.uint8(255), names, folder)


def write_heat(probability: NDArray[np.float32], names: list[str], folder: Path) -> list[Path]:
    """Write a probability (I, J, K) float32 in [0, 1] as K pictures of 0 to 255; ``WriteError``."""
    return _write(np.rint(np.clip(probability, 0, 1) * 255).astype(np.uint8), names, folder)


def _write(values: NDArray[np.uint8], names: list[str], folder: Path) -> list[Path]:
    files = []
    for k, name in enumerate(names):
        stream = io.BytesIO()
        # A picture's rows are J and its columns I (see study.reading.picture).
        picture = Image.fromarray(np.ascontiguousarray(values[:, :, k].T))
        picture.save(stream, format="TIFF" if Path(name).suffix in _TIFF else "PNG")
        files.append(folder / name)
        write_bytes(files[-1], stream.getvalue())
    return files
