"""Results of an earlier run whose cases are called otherwise now: found by their scans, moved, each move told."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bratsseg.batch.inputs import KnownInputs, input_files
from bratsseg.batch.names import Names
from bratsseg.batch.options import BatchOptions
from bratsseg.errors import CaseError
from bratsseg.files import digests
from bratsseg.report.run import has_report, report_case
from bratsseg.results.commit import publish_more
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.moves import Moves, move_result, moves, remove_repeated, same_scans
from bratsseg.results.reading import read_label_map
from bratsseg.results.record import CaseRecord, InputFile, record_path
from bratsseg.results.records import find_records
from bratsseg.results.staging import Staging
from bratsseg.study.case import Case
from bratsseg.study.reading import read_study

log = logging.getLogger(__name__)
_NAMED_BY_USER = ("by hand", "service")


def follow_cases(cases: Sequence[Case], names: Names, staging: Staging, options: BatchOptions) -> Moves:
    """Move each result in OUT whose case has another id now, and say what was moved, removed and left as it is.

    A result whose move fails stays where it is, among the unclear ones. Cases that were named one by one have no
    earlier id.
    """
    by_id = {names.case_id(case): case for case in cases if case.layout not in _NAMED_BY_USER}
    recorded = {record.case: record for _, record in find_records(staging.out)}
    strange = [record for record in recorded.values() if not _is_own(record, by_id, names)]
    if not strange:
        return Moves()
    known = KnownInputs(recorded.values(), strange)
    found = {name: known.of(case, names) for name, case in by_id.items()}
    wanted = moves(recorded, found, lambda file: _is_there(file, names.root))
    done = Moves(unclear=dict(wanted.unclear))
    for old, new in wanted.moved.items():
        try:
            reported = _is_reported(recorded[old], staging)
            record = move_result(recorded[old], new, found[new], staging)
            done.moved[old] = new
        except CaseError as error:
            done.unclear[old] = str(error)
            continue
        if reported:
            _report_again(record, by_id[new], staging, options)
    for old, new in wanted.repeated.items():
        _remove(recorded[old], new, staging, done)
    for record in strange:
        _follow_files(record, found.get(record.case, {}), staging)
    return done


def _follow_files(record: CaseRecord, inputs: Mapping[str, InputFile], staging: Staging) -> None:
    """Let a record name the files of its case where they lie now: the same scans, searched from another folder."""
    if same_scans(record.inputs, inputs):
        with suppress(CaseError):  # the case is computed again
            publish_more(record.model_copy(update={"inputs": dict(inputs)}), {}, staging)


def _is_own(record: CaseRecord, by_id: Mapping[str, Case], names: Names) -> bool:
    """True when a case of today has the id of the record and is made of the files that it names."""
    case = by_id.get(record.case)
    files = {file.file for file in record.inputs.values()}
    return case is not None and files == {names.file(path) for _, path, _ in input_files(case)}


def _is_there(file: str, root: Path) -> bool:
    """True when an input still lies where a record says; of a salted name nobody can say that it does not."""
    return file.startswith("file-") or (root / file).exists()


def _is_reported(record: CaseRecord, staging: Staging) -> bool:
    return record.status == "done" and has_report(record_path(staging.out, record.case).parent, record)


def _report_again(record: CaseRecord, case: Case, staging: Staging, options: BatchOptions) -> None:
    """Make the report of a result that was moved: its pages told the old id."""
    try:
        file = label_map_beside(record_path(staging.out, record.case).parent, record)
        label_map, _ = read_label_map(file, record.dialect)
        report = report_case(read_study(case, options.geometry), label_map, record)
        publish_more(record.model_copy(update={"pages": digests(report.files)}), report.files, staging)
    except CaseError as error:
        log.warning("%s has no report under its new id: %s", record.case, error)


def _remove(record: CaseRecord, new: str, staging: Staging, done: Moves) -> None:
    """A result that its case has under its new id as well goes, unless a person worked on it."""
    reason = f"{new} has a result of the same scans, but a person changed or added something here; keep one"
    with suppress(CaseError):
        if remove_repeated(record, staging):
            done.repeated[record.case] = new
            return
    done.unclear[record.case] = reason
