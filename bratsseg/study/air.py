"""Where the air of a volume lies in its intensities, and how bright tissue is above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Air lies amid tissue when tissue gets darker than air by this share of what it spans up to its median: it is 1 in a
# scaled brain, and 0 or less in real scans that nobody scaled so. The darkest of tissue is a percentile, for a few
# voxels may be any value.
AMID = 0.1
FLOOR_PERCENTILE = 0.5
# Air lies far below tissue when it is negative, as no scanner makes it, and its distance exceeds this multiple of that
# span: in real scans, scaled or not, it is at most .4.
FAR_BELOW = 2.0
_COARSE, _FEWEST = 200_000, 50


@dataclass(frozen=True)
class TissueLevels:
    """Where the air of a volume lies in what else there is: ``amid`` it, far below it, or just below as usual.

    ``cut_share`` is how much of the tissue has its smallest value: much where darker values were cut off.
    """

    floor: float
    amid: bool
    far_below: bool
    cut_share: float

    @classmethod
    def of(cls, voxels: NDArray[Any], air: float) -> TissueLevels:
        """From a coarse sample. ``floor`` is how dark tissue gets.

        Whoever scales the brain alone (MONAI's ``NormalizeIntensity(nonzero=True)``, the smallest and largest to -1
        and 1) leaves the air at 0, in the middle; others put it far below.
        """
        sample = np.asarray(voxels[::4, ::4, ::2] if voxels.size > _COARSE else voxels, dtype=np.float32)
        tissue = sample[sample != np.float32(air)]
        if tissue.size < _FEWEST:
            return cls(air, False, False, 0.0)
        floor, middle = (float(value) for value in np.percentile(tissue, [FLOOR_PERCENTILE, 50.0]))
        span = middle - floor
        cut_share = float((tissue == tissue.min()).mean())
        return cls(floor, air - floor > AMID * span > 0, air < 0 and floor - air > FAR_BELOW * span > 0, cut_share)


def brightness_above(voxels: NDArray[Any], floor: float) -> float:
    """How far the 99th percentile lies above ``floor``, from a coarse sample."""
    sample = np.asarray(voxels[::4, ::4, ::2], dtype=np.float32)
    above = sample[sample > floor]
    return float(np.percentile(above, 99.0)) - floor if above.size else 0.0


def faces(voxels: NDArray[Any]) -> list[NDArray[Any]]:
    """The six outermost planes of (I, J, K)."""
    return [voxels[0], voxels[-1], voxels[:, 0], voxels[:, -1], voxels[:, :, 0], voxels[:, :, -1]]
