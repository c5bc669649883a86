"""Real label maps as signed distances: what tumours are shaped like where experts outlined them.

A file of shapes holds label maps alone, no scan. ``scripts/make_shapes.py`` makes one from a folder of them.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from bratsseg.errors import ConfigError

KEYS = {"names": 1, "low": 2, "high": 2, "start": 1, "labels": 1}
"""The arrays of a file and how many axes each has; ``scripts/make_shapes.py`` describes them."""
CORE, ENHANCING = 2, 3
"""Label values of Task01 of the Medical Segmentation Decathlon; 1 is edema."""
STEP_MM = 0.125
"""Signed distances are kept in whole steps of this, in one byte: up to 15.9 mm either way."""
REACH_MM = (15.75, 15.75, 4.0)
"""Farther from the surface of WT, TC and ET nothing more is known: their borders fade over less."""
ROOM = 6
"""Voxels of 1 mm kept around a map's own box."""
SPECK = 10
"""Parts of fewer mm³ are slips of the pen, and go to the region around them."""
SMALLEST_MM3 = 100
"""A whole tumour or a core below .1 mL is none; neither is so small a part that enhances in a core that does not."""
FEW = 0.12
"""Where less of the core enhances it is a core that does not enhance, perhaps with a nodule: 57 of 447 public maps."""


@dataclass(frozen=True)
class Shape:
    """One map: ``signed`` (3, I, J, K) int8, distances to WT, TC, ET in steps of ``STEP_MM``, negative inside.

    Voxels of 1 mm, RAS, of which the first is ``low`` (i, j, k) of the frame of the maps. ``centre`` and
    ``core_centre`` are in voxels of that frame, the latter None without a core; ``mm3`` of WT, TC, ET.
    """

    signed: NDArray[np.int8]
    low: tuple[int, int, int]
    centre: tuple[float, float, float]
    core_centre: tuple[float, float, float] | None
    mm3: tuple[int, int, int]


class Shapes:
    """The maps of one file. They are kept packed: a map is opened when it is wanted, in about 10 ms after the first."""

    def __init__(self, path: Path) -> None:
        content = _content(path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        arrays = _arrays(content, path)
        self.names = [str(name) for name in arrays["names"]]
        self._low = arrays["low"].astype(int)
        self._size = arrays["high"].astype(int) - self._low
        start, labels = arrays["start"], arrays["labels"]
        parts = [labels[int(a) : int(b)] for a, b in pairwise(start)]
        self._counts = np.stack([np.bincount(part, minlength=4)[:4] for part in parts])
        self._packed = [zlib.compress(part.tobytes(), 1) for part in parts]
        self._opened: dict[int, tuple[bytes, Shape]] = {}
        if not (self._counts[:, 1:].sum(1) >= SMALLEST_MM3).any():
            raise ConfigError(f"shapes {path}: must hold tumours of .1 mL or more, holds none")

    def __len__(self) -> int:
        return len(self.names)

    def weights(self, low_grade: float, parts: int = 1, taken: Sequence[int] = (0,)) -> Tensor:
        """How likely each map is (N,): its own share, those of cores that do not enhance ``low_grade`` times that.

        Maps whose number modulo ``parts`` is not ``taken`` are never drawn; ``ConfigError`` when no tumour is left.
        """
        core = self._counts[:, CORE] + self._counts[:, ENHANCING]
        weights = np.where(self._counts[:, ENHANCING] < FEW * core, low_grade, 1.0)
        weights = weights * (self._counts[:, 1:].sum(1) >= SMALLEST_MM3)
        weights *= np.isin(np.arange(len(weights)) % parts, taken)
        if not weights.any():
            raise ConfigError(f"tumour.graft.taken: must hold a tumour, parts {list(taken)} of {parts} hold none")
        return torch.from_numpy(weights)

    def labels(self, number: int) -> NDArray[np.uint8]:
        """The map as it is in the file, (I, J, K)."""
        flat = np.frombuffer(zlib.decompress(self._packed[number]), np.uint8)
        return flat.reshape(self._size[number])

    def low(self, number: int) -> NDArray[np.int_]:
        """Voxel (i, j, k) of the frame of the maps where that map begins."""
        return np.asarray(self._low[number])

    def shape(self, number: int) -> Shape:
        """The map as signed distances; measured at its first use, packed afterwards."""
        found = self._opened.get(number)
        if found is None:
            shape = _measured(self.labels(number), self._low[number])
            empty = Shape(shape.signed[:, :0], shape.low, shape.centre, shape.core_centre, shape.mm3)
            self._opened[number] = zlib.compress(shape.signed.tobytes(), 1), empty
            return shape
        packed, rest = found
        size = (3, *(int(n) + 2 * ROOM for n in self._size[number]))
        signed = np.frombuffer(zlib.decompress(packed), np.int8).reshape(size)
        return Shape(signed, rest.low, rest.centre, rest.core_centre, rest.mm3)


@lru_cache(maxsize=2)
def load_shapes(path: Path) -> Shapes:
    """Read a file of shapes, once per process. ``ConfigError`` says what is wrong with it."""
    return Shapes(path)


def cleaned(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Regions (3, I, J, K), nested WT, TC, ET, without specks; a little enhancement in a large core is none."""
    whole = _dusted(labels > 0, SPECK)
    core = _dusted(whole & (labels >= CORE), SPECK)
    if np.count_nonzero(core) < SMALLEST_MM3:
        core = np.zeros_like(core)
    enhancing = core & (labels == ENHANCING)
    few = np.count_nonzero(enhancing) < FEW * np.count_nonzero(core)
    return np.stack([whole, core, _dusted(enhancing, SMALLEST_MM3 if few else SPECK)])


def _dusted(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    import cc3d  # noqa: PLC0415 - absent on machines that only train, on tumours that are drawn

    return np.asarray(cc3d.dust(mask, threshold=smallest, connectivity=26), dtype=bool)


def _measured(labels: NDArray[np.uint8], low: NDArray[np.int_]) -> Shape:
    regions = cleaned(np.pad(labels, ROOM))
    start = low - ROOM
    centre, core_centre = _middle(regions[0], start), _middle(regions[1], start)
    sizes = [int(np.count_nonzero(region)) for region in regions]
    return Shape(
        signed=np.stack([_signed(region, reach) for region, reach in zip(regions, REACH_MM, strict=True)]),
        low=(int(start[0]), int(start[1]), int(start[2])),
        centre=centre or (0.0, 0.0, 0.0),
        core_centre=core_centre,
        mm3=(sizes[0], sizes[1], sizes[2]),
    )


def _middle(mask: NDArray[np.bool_], start: NDArray[np.int_]) -> tuple[float, float, float] | None:
    if not mask.any():
        return None
    i, j, k = (float(n) for n in np.argwhere(mask).mean(0) + start)
    return i, j, k


def _signed(mask: NDArray[np.bool_], reach_mm: float) -> NDArray[np.int8]:
    """Distance to the faces between inside and outside, half a voxel from either's centre; at most ``reach_mm``."""
    steps = np.full(mask.shape, round(reach_mm / STEP_MM), np.int8)
    box = _surroundings(mask, math.ceil(reach_mm))
    part = mask[box]
    if part.any():
        outside, inside = (ndimage.distance_transform_edt(side) for side in (~part, part))
        distance = np.where(part, 0.5 - inside, outside - 0.5).clip(-reach_mm, reach_mm)
        steps[box] = np.rint(distance / STEP_MM)
    return steps


def _surroundings(mask: NDArray[np.bool_], margin: int) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in (found[0] if found else ()))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"shapes {path}: must be a readable file; {error}") from error


def _arrays(content: bytes, path: Path) -> dict[str, NDArray[np.generic]]:
    wanted = f"must be an .npz with the arrays {', '.join(KEYS)} (scripts/make_shapes.py makes one)"
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            missing = [key for key in KEYS if key not in stored.files]
            if missing:
                raise ConfigError(f"shapes {path}: {wanted}, lacks {', '.join(missing)}")
            arrays = {key: stored[key] for key in KEYS}
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(f"shapes {path}: {wanted}, was another kind of file or a damaged one") from error
    _require_agreement(arrays, path)
    return arrays


def _require_agreement(arrays: dict[str, NDArray[np.generic]], path: Path) -> None:
    for key, axes in KEYS.items():
        if arrays[key].ndim != axes:
            raise ConfigError(f"shapes {path}: {key} must have {axes} axes, had {arrays[key].ndim}")
    count, labels = len(arrays["names"]), arrays["labels"]
    if arrays["low"].shape != (count, 3) or arrays["high"].shape != (count, 3) or len(arrays["start"]) != count + 1:
        raise ConfigError(f"shapes {path}: low, high and start must fit its {count} names, do not")
    sizes = (arrays["high"].astype(int) - arrays["low"].astype(int)).prod(1)
    if (np.diff(arrays["start"].astype(int)) != sizes).any() or int(arrays["start"][-1]) != len(labels):
        raise ConfigError(f"shapes {path}: start must follow from the boxes of low and high, does not")
    if labels.dtype != np.uint8 or (len(labels) and int(labels.max()) > ENHANCING):
        raise ConfigError(
            f"shapes {path}: labels must be uint8 from 0 to {ENHANCING}, were {labels.dtype} up to {labels.max()}"
        )
