"""A result that is kept: what is added to it, and how its record follows a label map that a person changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from bratsseg.batch.outputs import beside
from bratsseg.batch.resume import EarlierResult
from bratsseg.exchange.formats import Files, export_case, made_by
from bratsseg.report.run import report_case
from bratsseg.results.filenames import LABELS, SLICER
from bratsseg.results.reading import read_label_map
from bratsseg.results.record import CaseRecord, hash_or_none, read_record, record_path
from bratsseg.study.brain import Brain
from bratsseg.study.dialect import get_dialect
from bratsseg.study.volume import Study


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file, from memory."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def added_files(
    found: EarlierResult, record: CaseRecord, study: Study | None, brain: Brain | None = None
) -> tuple[CaseRecord, Files]:
    """What ``found`` lacks, made from its label map as it is now, and ``record`` with the hashes of what was added.

    Without ``study`` a report shows outlines alone. Raises ``CaseError`` where the label map cannot be read.
    """
    label_map, volume = read_label_map(found.label_map, record.dialect)
    wanted = beside(found.lacking)
    mark = made_by(record.model, record.dialect)
    dialect = get_dialect(record.dialect)
    files = export_case(label_map, volume, record.case, wanted, dialect=dialect, description=mark) if wanted else {}
    files = {name: content for name, content in files.items() if name not in found.by_hand}
    formats = sorted({*record.options.get("formats", ()), *wanted})
    record = record.model_copy(
        update={
            "outputs": record.outputs | digests(files),
            "options": record.options | {"formats": formats},
        }
    )
    if "report" in found.lacking:
        notes = ("the scans are not shown: they are not those that were segmented",) if study is None else ()
        files |= report_case(study, label_map, record, brain, notes).files
    return record, files


def with_what_stays(record: CaseRecord, out: Path) -> tuple[CaseRecord, bool]:
    """A new ``record`` with the files of an earlier result that are as true of this one, and whether there is such one.

    There is where model, scans and label map are the same, so that only more was asked for.
    """
    before = read_record(record_path(out, record.case))
    if before is None or before.status != "done" or before.edited or record.masks:
        return record, False
    same = before.model == record.model and _scans(before) == _scans(record) and before.dialect == record.dialect
    if not same or before.outputs.get(record.label_file) != record.outputs[record.label_file]:
        return record, False
    folder = record_path(out, record.case).parent
    stay = {name: digest for name, digest in before.outputs.items() if hash_or_none(folder / name) == digest}
    formats = sorted({*record.options["formats"], *beside(before.options.get("formats", ()))})
    known = {"outputs": stay | record.outputs, "options": record.options | {"formats": formats}}
    return record.model_copy(update=known), True


def _scans(record: CaseRecord) -> dict[str, tuple[str | None, int | None]]:
    return {key: (source.sha256, source.channel) for key, source in record.inputs.items()}


def files_kept(found: EarlierResult) -> str:
    """What a person changed, in words: the label map, or files beside it."""
    names = sorted(found.by_hand)
    known = {LABELS: "the label map", SLICER[0]: "Slicer's segmentation"}
    return ", ".join(next((word for end, word in known.items() if name.endswith(end)), name) for name in names)
