"""The record of one case: what came of it, and from what. ``OUT/<case>/<case>.json``, schema 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from bratsseg.config import Config
from bratsseg.errors import ReadError
from bratsseg.results.filenames import LABELS, stem_of_case
from bratsseg.study.dialect import get_dialect
from bratsseg.study.mark import MOST_RECORD_BYTES, record_beside
from bratsseg.study.quality import RegionQuality
from bratsseg.study.regions import Region
from bratsseg.study.stack import hash_of

SCHEMA = 1
Status = Literal["done", "refused", "failed"]


class InputFile(Config):
    """One input as it was when the case was computed; ``sha256`` is None for a file that could not be read."""

    file: str
    """Path below IN."""
    sha256: str | None = None
    """Hash of the file's bytes."""
    size: int | None = None
    """Bytes; with ``mtime_ns`` the quick way to see that nothing changed."""
    mtime_ns: int | None = None
    """Time of the last change."""
    channel: int | None = None
    """Which volume of a 4-D file."""


class ModelIdentity(Config):
    """Which model made a result."""

    name: str
    """What ``--model`` calls it."""
    version: str
    """Its version."""
    sha256: str
    """Hash over its description and weights."""


class CaseRecord(Config):
    """The record of one case: what came of it and from what. Keys of a later version are passed over."""

    model_config = ConfigDict(extra="ignore")

    bratsseg: dict[str, Any]
    """``schema`` of this record and ``version`` of the software."""
    case: str
    """The case's id."""
    status: Status
    """done; refused: the case cannot be used as it is; failed: the software or the machine could not."""
    code: str = ""
    """Stable name of the reason, of the error tree; empty when done."""
    reason: str = ""
    """The reason in words."""
    stage: str | None = None
    """The stage that refused or failed: find, read, check, prepare, run, quality, finish or write."""
    model: ModelIdentity
    """The model."""
    dialect: str
    """Convention of the label values in the outputs."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Of Python and the packages that results depend on."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The options that change results."""
    inputs: dict[str, InputFile] = Field(default_factory=dict)
    """By modality, and ``mask``."""
    outputs: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file beside this record."""
    volumes_ml: dict[str, float | None] = Field(default_factory=dict)
    """By region; None when it is not assessable or the scan has no physical size."""
    quality: dict[Region, RegionQuality] = Field(default_factory=dict)
    """How far the answer for each region can be trusted; empty in records of earlier versions."""
    not_assessable: dict[str, str] = Field(default_factory=dict)
    """Regions that were not looked for, with the reason."""
    warnings: tuple[str, ...] = ()
    """What the reader should know."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """By stage."""
    reference_modality: str | None = None
    """The scan whose grid the outputs share."""
    pages: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file of the report, which can be made again; empty in records of earlier versions."""
    edited: dict[str, str] = Field(default_factory=dict)
    """Outputs that a person changed: the SHA-256 of each as it was when the record last spoke of it. Volumes and
    reports are made from these files; ``outputs`` keeps the hashes of what was computed."""
    masks: str = ""
    """Of pictures: what the masks beside the record are called; ``*`` stands for the number of the slice."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """How the segmentation came about."""

    @property
    def written(self) -> dict[str, str]:
        """Every file beside this record that the software wrote, by name with the hash that it had."""
        return self.pages | self.outputs

    @property
    def stem(self) -> str:
        """What the case's files are called."""
        return stem_of_case(self.case)

    @property
    def label_file(self) -> str:
        """Name of the label map beside the record, or the pattern of its masks (see ``study.stack``)."""
        return self.masks or f"{self.stem}{LABELS}"

    def unanswered(self) -> dict[Region, str]:
        """Regions that the label map cannot show, with the reason."""
        reasons = {region: self.not_assessable[region] for region in Region if region in self.not_assessable}
        for region in Region:
            if region not in reasons and region not in get_dialect(self.dialect).expresses:
                reasons[region] = f"label values of dialect {self.dialect} cannot store it"
        return reasons


def record_path(out: Path, name: str) -> Path:
    """Where the record of the case called ``name`` lies."""
    return record_beside(out.joinpath(*name.split("/")))


def read_record(path: Path) -> CaseRecord | None:
    """The record at ``path``, or None when there is none that this version understands."""
    try:
        if path.stat().st_size > MOST_RECORD_BYTES:
            return None
        return _understood(CaseRecord.model_validate_json(path.read_bytes()))
    except (OSError, ValidationError, RecursionError):
        return None


def _understood(record: CaseRecord) -> CaseRecord | None:
    return record if record.bratsseg.get("schema") == SCHEMA else None


def stamp(version: str) -> dict[str, Any]:
    """What a record made by this ``version`` of the software says of itself."""
    return {"schema": SCHEMA, "version": version}


def hash_or_none(path: Path) -> str | None:
    """SHA-256 of a file's bytes, or of a stack's (see ``stack``), or None when it cannot be read."""
    try:
        return hash_of(path)
    except (OSError, ReadError):
        return None
