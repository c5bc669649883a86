"""LabelMap: tumour regions on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bratsseg.study.grid import Grid
from bratsseg.study.regions import Region


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Regions on a grid: ``regions`` is (3, I, J, K) bool in ``Region`` order, nested ET ⊂ TC ⊂ WT.

    ``assessable`` are the regions that were looked for; the others are empty because the input could not show them,
    not because there is none.
    """

    regions: NDArray[np.bool_]
    grid: Grid
    assessable: frozenset[Region] = frozenset(Region)

    def region(self, region: Region) -> NDArray[np.bool_]:
        """One region, (I, J, K) bool."""
        channel: NDArray[np.bool_] = self.regions[list(Region).index(region)]
        return channel

    def volume_ml(self, region: Region) -> float | None:
        """Volume in mL; None when the region is not assessable or the grid has no physical size."""
        if region not in self.assessable or self.grid.voxel_ml is None:
            return None
        return float(np.count_nonzero(self.region(region))) * self.grid.voxel_ml
