"""What a data set is made of, case by case: grids, intensities, references. One case in memory at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import CaseError, GridMismatch
from bratsseg.results.labelmaps import LabelMapFile
from bratsseg.results.reading import read_labels
from bratsseg.study.case import Case, Problem
from bratsseg.study.checks import examine
from bratsseg.study.dialect import get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.reading import Header
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume

QUANTILES = {"p01": 0.01, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p99": 0.99}


@dataclass(frozen=True)
class ScanFacts:
    """One scan: voxels along I, J, K, spacing in mm (None for a picture), where its axes point, its stored type.

    ``quantiles`` are real intensities of what is not air; empty when the scan could not be read.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float] | None
    orientation: str | None
    stored: str
    quantiles: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ReferenceFacts:
    """A label map: how many voxels hold each stored value, and, where the dialect is known, each region.

    ``slices`` are those along K, ``slice_areas`` the voxels of WT in each that holds any (None where regions are
    not known), ``slice_voxels`` how many a slice has. ``voxel_ml`` is None for a picture.
    """

    dialect: str | None
    values: Mapping[int, int]
    slices: int
    slice_voxels: int
    voxel_ml: float | None
    regions: Mapping[Region, int] = field(default_factory=dict)
    slice_areas: tuple[int, ...] | None = None

    @property
    def tumour_slices(self) -> int | None:
        """How many slices along K hold WT; None where regions are not known."""
        return None if self.slice_areas is None else len(self.slice_areas)

    def volume_ml(self, region: Region) -> float | None:
        """Volume of a region in mL, or None where it is not known or has no size."""
        found = self.regions.get(region)
        return None if found is None or self.voxel_ml is None else found * self.voxel_ml


@dataclass(frozen=True)
class CaseDescription:
    """All that is told of one case; a ``problem`` that is fatal means that it cannot be used."""

    case: str
    layout: str
    scans: Mapping[Modality, ScanFacts]
    reference: ReferenceFacts | None
    problems: tuple[Problem, ...] = ()

    @property
    def usable(self) -> bool:
        """True when nothing found refuses the case."""
        return not any(problem.fatal for problem in self.problems)

    @property
    def tumour(self) -> bool | None:
        """Whether the reference holds any tumour; None where nobody knows."""
        whole = self.reference.regions.get(Region.WT) if self.reference else None
        return None if whole is None else whole > 0


def describe_case(case: Case, dialect: str | None) -> CaseDescription:
    """Read a case and keep its facts alone. Never raises for what is wrong with the case.

    ``dialect`` is that of the reference; without it the values are counted and no region is named.
    """
    checked, study = examine(case)
    scans = {
        modality: _scan(header, intensity_quantiles(study.volumes[modality]) if modality in study.volumes else {})
        for modality, header in checked.headers.items()
    }
    reference, more = _reference(case, dialect, next(iter(checked.headers.values()), None))
    return CaseDescription(case.id, case.layout, scans, reference, (*checked.problems, *more))


def intensity_quantiles(volume: Volume) -> dict[str, float]:
    """Quantiles of the real intensities that are not air: not the value that is commonest on the faces.

    Air is 0 in brain-extracted scans, another constant in z-scored ones; a scan with air noise has none, and all its
    voxels count. Empty where every voxel is air or none is a number.
    """
    values = volume.values()
    faces = np.concatenate([np.take(values, (0, -1), axis).ravel() for axis in range(3) if values.shape[axis] > 2])
    common, counts = np.unique(faces if faces.size else values, return_counts=True)
    air = common[counts.argmax()] if counts.max() > 0.5 * counts.sum() else np.nan
    inside = values[(values != air) & np.isfinite(values)]
    if not inside.size:
        return {}
    found = np.quantile(inside, list(QUANTILES.values()))
    return {name: float(value) for name, value in zip(QUANTILES, found, strict=True)}


def _scan(header: Header, quantiles: Mapping[str, float]) -> ScanFacts:
    grid = header.grid
    return ScanFacts(
        grid.shape, grid.spacing, grid.orientation if grid.physical else None, header.dtype.name, quantiles
    )


def _reference(
    case: Case, dialect: str | None, scan: Header | None
) -> tuple[ReferenceFacts | None, tuple[Problem, ...]]:
    if case.reference is None:
        return None, ()
    try:
        item = LabelMapFile(case.id, case.reference, case.dialect)
        volume, stored = read_labels(item, None if scan is None else scan.grid)
        facts = reference_facts(stored, volume.grid, dialect)
    except CaseError as error:
        return None, (Problem(type(error), str(error)),)
    if scan is None or scan.grid.same_as(volume.grid):
        return facts, ()
    text = f"reference: its grid must be that of the scans, it {volume.grid.difference(scan.grid)}"
    return facts, (Problem(GridMismatch, text),)


def reference_facts(stored: NDArray[np.uint8], grid: Grid, dialect: str | None) -> ReferenceFacts:
    """Count label values (I, J, K) uint8; ``LabelError`` when one is not of ``dialect``."""
    counts = np.bincount(stored.ravel(order="K"), minlength=256)
    values = {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value}
    size = stored.shape[0] * stored.shape[1]
    if dialect is None:
        return ReferenceFacts(None, values, stored.shape[2], size, grid.voxel_ml)
    spoken = get_dialect(dialect)
    regions = spoken.decode(stored, "reference")
    known = {
        region: int(np.count_nonzero(channel))
        for region, channel in zip(Region, regions, strict=True)
        if region in spoken.expresses
    }
    areas = np.count_nonzero(regions[0], axis=(0, 1))
    found = tuple(int(area) for area in areas if area)
    return ReferenceFacts(dialect, values, stored.shape[2], size, grid.voxel_ml, known, found)
