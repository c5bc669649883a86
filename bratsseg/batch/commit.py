"""What makes a case done: ``OUT/<case>/<case>.json``, written last by rename.

The record holds the hashes of the inputs, of the model, of the options that matter and of its sibling files. Whoever
finds it and finds those hashes true need not compute the case again. A refused case has a record too. Everything else
in OUT, such as ``cases.csv``, is derived from the records.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bratsseg.batch.inputs import same_inputs
from bratsseg.batch.names import Names
from bratsseg.batch.staging import Staging
from bratsseg.errors import WriteError
from bratsseg.exchange.formats import BESIDE
from bratsseg.exchange.pictures import HEAT, MASK
from bratsseg.report.run import SUFFIXES as REPORT_SUFFIXES
from bratsseg.study.case import Case
from bratsseg.study.record import CaseRecord, hash_or_none, read_record, record_path
from bratsseg.study.writing import write_json


@dataclass(frozen=True)
class Fingerprint:
    """What a result depends on besides its inputs."""

    model_sha256: str
    options: dict[str, Any]


def is_done(case: Case, out: Path, fingerprint: Fingerprint, names: Names) -> bool:
    """True when nothing would come out differently if the case were computed again."""
    return finished_record(case, out, fingerprint, names) is not None


def finished_record(case: Case, out: Path, fingerprint: Fingerprint, names: Names) -> CaseRecord | None:
    """The record of a case that need not be computed again, else None.

    That is a done case whose outputs are all there, or a refused one, with the inputs, model and options of today. A
    failed case is always tried again.
    """
    path = record_path(out, names.case_id(case))
    record = read_record(path)
    if record is None or record.status == "failed" or record.stage == "find":
        return None
    if record.model.sha256 != fingerprint.model_sha256 or record.options != fingerprint.options:
        return None
    whole = all(hash_or_none(path.parent / name) == digest for name, digest in record.outputs.items())
    return record if whole and same_inputs(record.inputs, case, names) else None


def publish(record: CaseRecord, files: Collection[Path], out: Path, room: Path, staging: Staging) -> None:
    """Move finished ``files`` and then the record to where the user sees them; ``WriteError`` when that fails.

    The old record goes first and the new one comes last, so that no record ever speaks of files that are not there.
    Outputs of an earlier run that no longer apply are removed.
    """
    path = record_path(out, record.case)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(room / path.name, record.model_dump(mode="json"))
        with staging.publishing():
            path.unlink(missing_ok=True)
            fresh = {file.name for file in files}
            for old in _outputs_of(path):
                if old.name not in fresh:
                    old.unlink()
            for file in files:
                file.replace(path.parent / file.name)
            (room / path.name).replace(path)
    except OSError as error:
        raise WriteError(f"case {record.case}: its results must fit into OUT; {error.strerror}") from error


def withdraw(name: str, out: Path, staging: Staging) -> None:
    """Remove the record and outputs of a case that can no longer be vouched for."""
    path = record_path(out, name)
    with staging.publishing():
        for old in (path, *_outputs_of(path)):
            old.unlink(missing_ok=True)


def _outputs_of(record: Path) -> list[Path]:
    """Files beside a record that only bratsseg writes."""
    stem = record.stem
    own = {f"{stem}{end}" for end in ("_seg.nii.gz", *BESIDE, *REPORT_SUFFIXES)}
    if not record.parent.is_dir():
        return []
    return [
        path
        for path in record.parent.iterdir()
        if path.name in own
        or (path.name.startswith(f"{stem}_prob_") and path.name.endswith(".nii.gz"))
        or path.stem.endswith((MASK, HEAT))
    ]
