"""Volume: the voxels of one scan. Study: the volumes of one patient on one day."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import GridMismatch, ModalityMissing
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality

if TYPE_CHECKING:
    import nibabel as nib

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Volume:
    """One scan as it is stored.

    ``voxels`` is (I, J, K) in the stored type; the real intensity is ``voxels * slope + intercept``. ``header`` is
    the source's NIfTI header (None for other formats), kept so that results carry the same geometry and units.
    """

    voxels: NDArray[Any]
    grid: Grid
    slope: float = 1.0
    intercept: float = 0.0
    header: nib.Nifti1Header | None = None
    source: Path | None = None

    def values(self, box: Box | None = None) -> NDArray[np.float32]:
        """Real intensities inside ``box`` (voxel slices; None is all) as a new C-contiguous (I, J, K) float32."""
        part = self.voxels if box is None else self.voxels[box]
        values = np.array(part, dtype=np.float32, order="C")
        if self.slope != 1.0:
            values *= np.float32(self.slope)
        if self.intercept != 0.0:
            values += np.float32(self.intercept)
        return values


@dataclass(frozen=True, eq=False)
class Study:
    """The volumes of one case. Their grids may differ; ``stack`` insists that they agree."""

    case_id: str
    volumes: dict[Modality, Volume]
    mask: Volume | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities at hand, in channel order."""
        return tuple(m for m in Modality if m in self.volumes)

    @property
    def reference_modality(self) -> Modality:
        """The modality whose grid results are written on: T1ce, otherwise FLAIR, otherwise the first."""
        preferred = (Modality.T1C, Modality.FLAIR, *self.modalities)
        found = [modality for modality in preferred if modality in self.volumes]
        if found:
            return found[0]
        raise ModalityMissing(f"case {self.case_id}: at least one volume is needed, there is none")

    @property
    def reference(self) -> Volume:
        """The volume whose grid results are written on."""
        return self.volumes[self.reference_modality]

    def require_one_grid(self) -> Grid:
        """The common grid of all volumes and the mask, or ``GridMismatch`` that names the first one that differs."""
        owner, grid = self.reference_modality, self.reference.grid
        others = [(m.label, self.volumes[m].grid) for m in self.modalities]
        if self.mask is not None:
            others.append(("the brain mask", self.mask.grid))
        for name, other in others:
            if not other.same_as(grid):
                raise GridMismatch(
                    f"case {self.case_id}: all volumes must share one grid, that of {owner.label}; {name} "
                    f"{other.difference(grid)}; register and resample the study to one grid first"
                )
        return grid

    def stack(self, box: Box | None = None) -> NDArray[np.float32]:
        """Real intensities of all modalities at hand, (C, I, J, K) float32 in channel order, or ``GridMismatch``."""
        self.require_one_grid()
        return np.stack([self.volumes[m].values(box) for m in self.modalities])
