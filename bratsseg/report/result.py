"""A result folder read back: ``OUT/<case>/<case>.json``, the label map beside it, and the scans it came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from bratsseg.config import Config
from bratsseg.errors import CaseError, ReadError
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.dialect import get_dialect
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.reading import GeometryPolicy, read_reference, read_study
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study

SCHEMA = 1


class _Recorded(Config):
    """A part of a record. Keys that a report does not show are passed over: a record may grow."""

    model_config = ConfigDict(extra="ignore")


class RecordedInput(_Recorded):
    """One input file."""

    file: str
    """Path below IN."""
    sha256: str | None = None
    """Hash of the file's bytes; None when it could not be read."""
    channel: int | None = None
    """Which volume of a 4-D file."""


class RecordedModel(_Recorded):
    """Which model made the result."""

    name: str
    """What ``--model`` calls it."""
    version: str
    """Its version."""
    sha256: str
    """Hash over its description and weights."""


class Result(_Recorded):
    """What a report shows of a record."""

    bratsseg: dict[str, Any]
    """``schema`` of the record and ``version`` of the software."""
    case: str
    """The case's id."""
    status: str
    """done, refused or failed."""
    code: str = ""
    """Stable name of the reason; empty when done."""
    reason: str = ""
    """The reason in words."""
    stage: str | None = None
    """The stage that refused or failed."""
    model: RecordedModel
    """The model."""
    dialect: str
    """Convention of the label values in the label map."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of Python and the packages that results depend on."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The options that change results."""
    inputs: dict[str, RecordedInput] = Field(default_factory=dict)
    """By modality, and ``mask``."""
    outputs: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file beside the record."""
    volumes_ml: dict[str, float | None] = Field(default_factory=dict)
    """By region; None when it is not assessable or the scan has no physical size."""
    not_assessable: dict[str, str] = Field(default_factory=dict)
    """Regions that were not looked for, with the reason."""
    warnings: tuple[str, ...] = ()
    """What the reader should know."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """How the segmentation came about."""

    @property
    def stem(self) -> str:
        """What the case's files are called."""
        return self.case.rpartition("/")[2]

    @property
    def label_file(self) -> str:
        """Name of the label map beside the record."""
        return f"{self.stem}_seg.nii.gz"

    def unanswered(self) -> dict[Region, str]:
        """Regions that the label map cannot show, with the reason."""
        reasons = {region: self.not_assessable[region] for region in Region if region in self.not_assessable}
        for region in Region:
            if region not in reasons and region not in get_dialect(self.dialect).expresses:
                reasons[region] = f"label values of dialect {self.dialect} cannot store it"
        return reasons


def parse_result(values: Mapping[str, Any]) -> Result | None:
    """A record's values as a ``Result``, or None when they are no record that this version understands."""
    try:
        result = Result.model_validate(values)
    except ValidationError:
        return None
    return result if result.bratsseg.get("schema") == SCHEMA else None


def find_results(out: Path) -> Iterator[tuple[Path, Result]]:
    """Every case folder below OUT with its record, in the order of their paths; hidden folders are passed over."""
    for place, inside, files in os.walk(out):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        folder = Path(place)
        if f"{folder.name}.json" not in files:
            continue
        try:
            values = json.loads((folder / f"{folder.name}.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(values, dict) and (result := parse_result(values)) is not None:
            yield folder, result


def read_label_map(folder: Path, result: Result) -> tuple[LabelMap, tuple[str, ...]]:
    """The label map of a done case, and a warning when it is not the file that the record speaks of."""
    path = folder / result.label_file
    volume = read_reference(path, f"case {result.case}: label map", _policy(result))
    dialect = get_dialect(result.dialect)
    regions = dialect.decode(volume.voxels, f"case {result.case}: {path.name}")
    changed = _sha256(path) != result.outputs.get(path.name)
    note = ("the label map was changed after it was made; this report shows it as it is now",) if changed else ()
    return LabelMap(regions, volume.grid, frozenset(Region) - result.unanswered().keys()), note


def read_scans(scans: Path, result: Result) -> tuple[Study | None, tuple[str, ...]]:
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


def _found(scans: Path, source: RecordedInput) -> Path:
    named = PurePosixPath(source.file)
    path = scans / named
    if named.is_absolute() or ".." in named.parts:  # links that the user put into the folder are followed
        raise ReadError("its path leads out of the folder of scans")
    if not path.is_file():
        raise ReadError("there is no such file in the folder of scans")
    if _sha256(path) != source.sha256:
        raise ReadError("the scan is not the one that was segmented")
    return path


def _policy(result: Result) -> GeometryPolicy:
    try:
        return GeometryPolicy.model_validate(result.options.get("geometry", {}))
    except ValidationError:
        return GeometryPolicy()


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
