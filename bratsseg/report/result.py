"""A result folder read back: ``OUT/<case>/<case>.json``, the label map beside it, and the scans it came from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from bratsseg.errors import CaseError, ReadError
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.dialect import get_dialect
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.reading import GeometryPolicy, read_reference, read_study
from bratsseg.study.record import CaseRecord, InputFile, hash_or_none, read_record
from bratsseg.study.regions import Region
from bratsseg.study.stack import archive_of, is_stack, members
from bratsseg.study.volume import Study


def find_results(out: Path) -> Iterator[tuple[Path, CaseRecord]]:
    """Every case folder below OUT with its record, in the order of their paths; hidden folders are passed over."""
    for place, inside, files in os.walk(out):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        folder = Path(place)
        if f"{folder.name}.json" not in files:
            continue
        if (result := read_record(folder / f"{folder.name}.json")) is not None:
            yield folder, result


def read_label_map(folder: Path, result: CaseRecord) -> tuple[LabelMap, tuple[str, ...]]:
    """The label map of a done case, and a warning when it is not the file that the record speaks of."""
    path = folder / result.label_file
    volume = read_reference(path, f"case {result.case}: label map", _policy(result))
    dialect = get_dialect(result.dialect)
    regions = dialect.decode(volume.voxels, f"case {result.case}: {path.name}")
    changed = any(hash_or_none(each.path) != result.outputs.get(each.path.name) for each in members(path))
    note = ("the label map was changed after it was made; this report shows it as it is now",) if changed else ()
    return LabelMap(regions, volume.grid, frozenset(Region) - result.unanswered().keys()), note


def read_scans(scans: Path, result: CaseRecord) -> tuple[Study | None, tuple[str, ...]]:
    """The scans of a case as far as they still lie below ``scans`` unchanged, and what is not shown and why."""
    sources: dict[Modality, VolumeSource] = {}
    notes = []
    for modality in Modality:
        if (source := result.inputs.get(modality)) is not None:
            try:
                sources[modality] = VolumeSource(_found(scans, source), source.channel)
            except ReadError as error:
                notes.append(f"{modality.label} is not shown: {error}")
    mask = result.inputs.get("mask")
    try:
        case = Case(result.case, sources, mask=None if mask is None else _found(scans, mask))
        study = read_study(case, _policy(result)) if sources else None
    except CaseError as error:
        return None, (*notes, f"the scans are not shown: {error}")
    return study, tuple(notes)


def _found(scans: Path, source: InputFile) -> Path:
    named = PurePosixPath(source.file)
    path = scans / named
    if named.is_absolute() or ".." in named.parts:  # links that the user put into the folder are followed
        raise ReadError("its path leads out of the folder of scans")
    if not path.is_file() and not is_stack(path) and archive_of(path) is None:
        raise ReadError("there is no such file in the folder of scans")
    if hash_or_none(path) != source.sha256:
        raise ReadError("the scan is not the one that was segmented")
    return path


def _policy(result: CaseRecord) -> GeometryPolicy:
    try:
        return GeometryPolicy.model_validate(result.options.get("geometry", {}))
    except ValidationError:
        return GeometryPolicy()
