"""Checks: what is wrong with a case, from its names and headers, or from its voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import CaseError, ContentError, GeometryError, GridMismatch, ModalityMissing
from bratsseg.study.brain import find_brain
from bratsseg.study.case import Case, Problem, VolumeSource
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.reading import GeometryPolicy, Header, read_header, read_volume
from bratsseg.study.reading.geometry import EXTENT_MM, POSSIBLE_MM, shown_extent
from bratsseg.study.twice import equal_volumes, given_twice
from bratsseg.study.volume import Study, Volume

# A scan has hundreds of intensities; label maps and masks have a handful.
LABEL_MAP_VALUES = 12
# Voxels are computed with in 32 bits, where the square of a larger intensity is infinite, and the square of a smaller
# deviation nothing. Whatever a scan's unit is, it lies far between.
MOST_INTENSE, LEAST_DEVIATION = 1e18, 1e-5
# A scan whose deviation is fewer steps of such a number (16,777,216 of them lie below its size) has lost its contrast.
FEWEST_STEPS = 64 * 2.0**-24
_RESCALE = "correct the scaling in the header, or export the scan again"
EMPTY_MASK = Problem(ContentError, "brain mask: must mark the brain, every voxel is 0")


@dataclass(frozen=True, eq=False)
class CaseCheck:
    """What names and headers say of one case: a header per volume that has one, and every problem."""

    case: Case
    headers: dict[Modality, Header]
    problems: tuple[Problem, ...]

    @property
    def usable(self) -> bool:
        """True when nothing found refuses the case."""
        return not any(problem.fatal for problem in self.problems)


def check_case(case: Case, policy: GeometryPolicy | None = None) -> CaseCheck:
    """Check a case by names and headers, without reading a voxel. Never raises for what is wrong with the case."""
    policy = policy or GeometryPolicy()
    problems = list(case.problems)
    headers: dict[Modality, Header] = {}
    grids: dict[str, Grid] = {}
    for modality, source in case.sources.items():
        header = _header(source, modality.label, policy, problems)
        if header is not None:
            headers[modality] = header
            grids[modality.label] = header.grid
            problems += _extent_problems(modality.label, header.grid)
    if case.mask is not None and (mask := _header(VolumeSource(case.mask), "brain mask", policy, problems)):
        grids["brain mask"] = mask.grid
    if not case.sources and not problems:
        problems.append(Problem(ModalityMissing, "no scan was found"))
    return CaseCheck(case, headers, (*problems, *_grid_problems(grids), *given_twice(case.sources)))


def examine(case: Case, policy: GeometryPolicy | None = None) -> tuple[CaseCheck, Study]:
    """Check a case by names, headers, voxels and brain, and read what can be read. Never raises for what is wrong.

    What ``segment`` and ``train`` would refuse in any case is found here, and everything else that is wrong as well.
    """
    checked = check_case(case, policy)
    problems = list(checked.problems)
    volumes = {
        modality: volume
        for modality in checked.headers
        if (volume := _volume(case.sources[modality], modality.label, policy, problems)) is not None
    }
    mask = None if case.mask is None else _volume(VolumeSource(case.mask), "brain mask", policy, problems)
    study = Study(case.id, volumes, mask)
    if volumes:
        problems += inspect(study)
        if not any(problem.fatal for problem in problems):
            problems += _brain_problems(study)
    return replace(checked, problems=tuple(dict.fromkeys(problems))), study


def inspect(study: Study) -> list[Problem]:
    """Check the voxels of a study: numbers that are none, constant volumes, label maps given as scans, grids,
    and one scan given twice.

    Measured: .01 s for four volumes of 240x240x155. Negative intensities are fine.
    """
    problems = [
        problem for modality in study.modalities for problem in _voxel_problems(modality.label, study.volumes[modality])
    ]
    grids = {modality.label: study.volumes[modality].grid for modality in study.modalities}
    if study.mask is not None:
        grids["brain mask"] = study.mask.grid
        if not study.mask.voxels.any():
            problems.append(EMPTY_MASK)
    return [*problems, *inspect_grids(grids), *equal_volumes(study)]


def inspect_grids(grids: dict[str, Grid]) -> list[Problem]:
    """Check the grids of a study by name: each as large as a head, and all the same."""
    sizes = [problem for name, grid in grids.items() for problem in _extent_problems(name, grid)]
    return [*sizes, *_grid_problems(grids)]


def _voxel_problems(name: str, volume: Volume) -> list[Problem]:
    voxels = volume.voxels
    low, high = voxels.min(), voxels.max()  # NaN goes through both
    if voxels.dtype.kind == "f" and not np.isfinite([low, high]).all():
        bad = int(np.count_nonzero(~np.isfinite(voxels)))
        return [
            _content(f"{name}: every voxel must be a number, {bad:,} {'is' if bad == 1 else 'are'} NaN or infinite")
        ]
    if low == high:
        return [
            _content(f"{name}: a scan must have contrast, every voxel is {low * volume.slope + volume.intercept:g}")
        ]
    if (problem := _scaled_problem(name, volume, float(low), float(high))) is not None:
        return [problem]
    if (values := _few_values(voxels)) is not None:
        return [_content(f"{name}: a scan has many intensities, this has {values} whole numbers: is it a label map?")]
    if volume.slope < 0:
        text = f"{name}: the header's slope is {volume.slope:g}, which makes bright dark; is it right?"
        return [Problem(ContentError, text, fatal=False)]
    return []


def _scaled_problem(name: str, volume: Volume, low: float, high: float) -> Problem | None:
    """What the intensities lack after slope and intercept; ``low`` and ``high`` are the stored extremes."""
    slope, intercept = float(volume.slope), float(volume.intercept)
    reach = max(abs(low), abs(high)) * abs(slope) + abs(intercept)  # Python's floats overflow without a word
    scaled = "" if (slope, intercept) == (1.0, 0.0) else f", with slope {slope:g} and intercept {intercept:g}"
    if not reach <= MOST_INTENSE:
        return _content(f"{name}: intensities must lie within {MOST_INTENSE:g}, reach {reach:g}{scaled}; {_RESCALE}")
    for part in (volume.voxels[::5, ::5, ::3], volume.voxels):
        real = np.asarray(part, dtype=np.float64) * slope + intercept
        deviation, usual = float(real.std()), float(np.median(np.abs(real)))
        if deviation >= max(LEAST_DEVIATION, FEWEST_STEPS * usual):
            return None
    return _content(
        f"{name}: a scan must have contrast, intensities about {usual:g} deviate by only {deviation:.2g}{scaled}; "
        f"{_RESCALE}"
    )


def _few_values(voxels: NDArray[np.generic]) -> int | None:
    """How many values a volume has, when they are few and whole; a coarse sample answers first for real scans."""
    for part in (voxels[::5, ::5, ::3], voxels):
        flat = part.ravel(order="K")
        seen = np.unique(flat[:: max(1, flat.size // 20_000)]) if part is not voxels else _unique(flat)
        if seen.size > LABEL_MAP_VALUES or (seen != np.rint(seen)).any():
            return None
    return int(seen.size)


def _unique(flat: NDArray[np.generic]) -> NDArray[np.generic]:
    if flat.dtype.kind in "iu" and flat.dtype.itemsize <= 2:
        low = int(flat.min())
        return np.flatnonzero(np.bincount(flat.astype(np.int32) - low)) + low
    return np.unique(flat)


def _grid_problems(grids: dict[str, Grid]) -> list[Problem]:
    names = list(grids)
    return [
        Problem(
            GridMismatch,
            f"{name}: grid must be that of {names[0]}, {grids[name].difference(grids[names[0]])}; register and "
            "resample the study to one grid first",
        )
        for name in names[1:]
        if not grids[name].same_as(grids[names[0]])
    ]


def _extent_problems(name: str, grid: Grid) -> list[Problem]:
    if grid.spacing is None:
        return []
    extents = [size * edge for size, edge in zip(grid.shape, grid.spacing, strict=True)]
    if min(extents) >= EXTENT_MM[0] and max(extents) <= EXTENT_MM[1]:
        return []
    if POSSIBLE_MM[0] <= max(extents) <= POSSIBLE_MM[1]:
        asked = "are the voxel sizes or units in the header right?"
        return [
            Problem(
                GeometryError,
                f"{name}: the scan covers {shown_extent(extents)}, which is no head; {asked}",
                fatal=False,
            )
        ]
    text = f"{name}: a scan must be as large as a head, covers {shown_extent(extents)}; correct the voxel sizes or the "
    return [Problem(GeometryError, f"{text}unit in the header")]


def _header(source: VolumeSource, name: str, policy: GeometryPolicy, problems: list[Problem]) -> Header | None:
    try:
        header = read_header(source, name, policy)
    except CaseError as error:
        problems.append(Problem(type(error), str(error)))
        return None
    problems.extend(Problem(GeometryError, f"{name}: {note}", fatal=False) for note in header.notes)
    return header


def _volume(source: VolumeSource, name: str, policy: GeometryPolicy | None, problems: list[Problem]) -> Volume | None:
    try:
        return read_volume(source, name, policy or GeometryPolicy())
    except CaseError as error:
        problems.append(Problem(type(error), str(error)))
        return None


def _brain_problems(study: Study) -> list[Problem]:
    try:
        find_brain(study)
    except CaseError as error:
        return [Problem(type(error), str(error).removeprefix(f"case {study.case_id}: "))]
    return []


def _content(message: str) -> Problem:
    return Problem(ContentError, message)
