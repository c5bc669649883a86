"""What an earlier run left of a case, and what of it still holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bratsseg.batch.inputs import same_inputs
from bratsseg.batch.names import Names
from bratsseg.batch.options import BatchOptions
from bratsseg.report.run import has_report
from bratsseg.results.edited import changed_by_hand
from bratsseg.results.labelmaps import LabelMapFile, label_map_beside
from bratsseg.results.reading import is_readable
from bratsseg.results.record import CaseRecord, hash_or_none, read_record, record_path
from bratsseg.study.case import Case


@dataclass(frozen=True)
class Fingerprint:
    """What a result depends on besides its inputs."""

    model_sha256: str
    options: dict[str, Any]


@dataclass(frozen=True)
class EarlierResult:
    """A result that is kept. ``by_hand`` are the files that a person changed, by name with the hash each has now.

    ``lacking`` is what this run asks for besides: formats, and "report". It can be made without the network.
    ``same_scans`` is False where the case's scans are other ones by now, which only a change by hand outlives.
    """

    record: CaseRecord
    folder: Path
    by_hand: dict[str, str] = field(default_factory=dict)
    lacking: frozenset[str] = frozenset()
    same_scans: bool = True

    @property
    def edit_is_new(self) -> bool:
        """True when the record does not speak of the files as they are now."""
        return self.by_hand != self.record.edited

    @property
    def label_map(self) -> LabelMapFile:
        """The label map, as the record tells of it."""
        return label_map_beside(self.folder, self.record)


def earlier_result(
    case: Case, out: Path, fingerprint: Fingerprint, names: Names, options: BatchOptions
) -> EarlierResult | None:
    """The result of a case that need not be computed again, otherwise None.

    That is a done case whose outputs are all there, or a refused one, with the inputs, model and options of today; and
    any done case that a person changed, whatever else is new. A failed case is always tried again.
    """
    path = record_path(out, names.case_id(case))
    record = read_record(path)
    if record is None or record.status == "failed" or record.stage == "find":
        return None
    found = EarlierResult(record, path.parent, changed_by_hand(path.parent, record) if record.status == "done" else {})
    if found.by_hand:
        found = replace(found, same_scans=same_inputs(record.inputs, case, names))
        return _with_lacking(found, options) if is_readable(found.label_map) else None
    if record.edited:  # the person took the change back, so that the figures are those of no file
        return None
    if record.model.sha256 != fingerprint.model_sha256 or not _covers(record, fingerprint.options):
        return None
    whole = all(hash_or_none(path.parent / name) == digest for name, digest in record.outputs.items())
    if not whole or not same_inputs(record.inputs, case, names):
        return None
    return _with_lacking(found, options) if record.status == "done" else found


def is_done(case: Case, out: Path, fingerprint: Fingerprint, names: Names, options: BatchOptions) -> bool:
    """True when nothing would come out differently if the case were computed again."""
    found = earlier_result(case, out, fingerprint, names, options)
    return found is not None and not found.lacking and not found.by_hand


def _covers(record: CaseRecord, asked: dict[str, Any]) -> bool:
    """True when a result made with the recorded options is, but for files to add, what was ``asked`` for.

    A case that passes without force is the same with it.
    """
    recorded = record.options
    free = {"probabilities": recorded.get("probabilities") or not asked["probabilities"]}
    free["quality"] = recorded.get("quality") in (asked["quality"], "drop")
    passes = record.status == "done" and not record.facts.get("forced")
    free["force"] = passes or bool(recorded.get("force")) == asked["force"]
    added = {"report", "formats"}
    same = all(recorded.get(key) == value for key, value in asked.items() if key not in added | free.keys())
    return same and all(free.values())


def _with_lacking(found: EarlierResult, options: BatchOptions) -> EarlierResult:
    record = found.record
    picture = bool(record.masks)
    asked = set() if picture else {name for name in options.formats if name in ("slicer", "itksnap")}
    lacking = asked - set(record.options.get("formats", ()))
    reported = has_report(found.folder, record)
    if options.report and not reported:
        lacking.add("report")
    if found.by_hand and found.edit_is_new:  # what was made from the label map is made again
        lacking |= {name for name in record.options.get("formats", ()) if name in ("slicer", "itksnap")}
        lacking |= {"report"} if reported else set()
    return replace(found, lacking=frozenset(lacking))
