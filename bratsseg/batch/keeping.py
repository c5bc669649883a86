"""A result that is kept: what is added to it, and how its record follows a label map that a person changed."""

from __future__ import annotations

from pathlib import Path

from bratsseg.batch.outputs import beside
from bratsseg.batch.resume import EarlierResult
from bratsseg.exchange.formats import Files, export_case, made_by
from bratsseg.files import digests
from bratsseg.report.run import report_case
from bratsseg.results.edited import BY_HAND, follow_edit
from bratsseg.results.filenames import LABELS, SLICER
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.moves import same_scans
from bratsseg.results.reading import is_readable, read_label_map
from bratsseg.results.record import CaseRecord, hash_or_none, read_record, record_path
from bratsseg.study.dialect import get_dialect
from bratsseg.study.mark import carries_mark
from bratsseg.study.volume import Study

OTHER_SCANS = "its scans are not those it was made from"
"""What is said of a result that only a change by hand keeps."""


def added_files(found: EarlierResult, record: CaseRecord, study: Study | None) -> tuple[CaseRecord, Files]:
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
        pages = report_case(study, label_map, record, notes=notes).files
        files, record = {**files, **pages}, record.model_copy(update={"pages": digests(pages)})
    return record, files


def kept_record(found: EarlierResult) -> CaseRecord:
    """The record of a result that is kept: it follows what a person changed and tells of other scans."""
    record = follow_edit(found.folder, found.record)
    warnings = [warning for warning in record.warnings if warning != OTHER_SCANS]
    warnings += [] if found.same_scans else [OTHER_SCANS]
    return record if tuple(warnings) == record.warnings else record.model_copy(update={"warnings": tuple(warnings)})


def drawn_without_record(record: CaseRecord, out: Path) -> bool:
    """True when a label map lies where that of ``record`` is to go, which nobody knows for ours: somebody drew it.

    That is where no record vouches for it, it does not carry our mark as every result does, and it can be read.
    """
    path = record_path(out, record.case).parent / record.label_file
    if record.masks or read_record(record_path(out, record.case)) is not None or not path.is_file():
        return False
    if hash_or_none(path) == record.outputs[record.label_file] or carries_mark(path):
        return False
    return is_readable(label_map_beside(path.parent, record))


def with_what_stays(record: CaseRecord, out: Path) -> tuple[CaseRecord, bool]:
    """A new ``record`` with the files of an earlier result that are as true of this one, and whether there is such one.

    There is where model, scans and label map are the same, so that only more was asked for.
    """
    before = read_record(record_path(out, record.case))
    if before is None or before.status != "done" or before.edited or record.masks:
        return record, False
    same = (
        before.model == record.model and same_scans(before.inputs, record.inputs) and before.dialect == record.dialect
    )
    if not same or before.outputs.get(record.label_file) != record.outputs[record.label_file]:
        return record, False
    folder = record_path(out, record.case).parent
    stay = {name: digest for name, digest in before.outputs.items() if hash_or_none(folder / name) == digest}
    formats = sorted({*record.options["formats"], *beside(before.options.get("formats", ()))})
    known = {"outputs": stay | record.outputs, "options": record.options | {"formats": formats}}
    return record.model_copy(update=known), True


def files_kept(found: EarlierResult, dialect: str) -> str:
    """What a person changed, in words, and what else whoever asked for ``dialect`` should know."""
    names = sorted(found.by_hand)
    known = {LABELS: "the label map", SLICER[0]: "Slicer's segmentation"}
    what = ", ".join(next((word for end, word in known.items() if name.endswith(end)), name) for name in names)
    notes = [f"{what} was {BY_HAND}"]
    if not any(name.endswith(LABELS) for name in names) and not found.record.masks:
        notes.append("volumes and reports are of the label map, which was not")
    if not found.record.masks and found.record.dialect != dialect:
        notes.append(f"its values are of {found.record.dialect}, not {dialect}")
    if not found.same_scans:
        notes.append(OTHER_SCANS)
    return "; ".join(notes)
