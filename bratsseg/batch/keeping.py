"""A result that is kept: what is added to it, and how its record follows a label map that a person changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from bratsseg.batch.outputs import beside
from bratsseg.batch.resume import EarlierResult
from bratsseg.exchange.formats import Files, export_case, made_by
from bratsseg.report.run import report_case
from bratsseg.results.filenames import LABELS, SLICER
from bratsseg.results.reading import read_label_map
from bratsseg.results.record import CaseRecord
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

    ``study`` is needed for a report. Raises ``CaseError`` where the label map cannot be read or shown.
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
            "options": record.options | {"formats": formats, "report": record.options.get("report") or bool(study)},
        }
    )
    if "report" in found.lacking and study is not None:
        files |= report_case(study, label_map, record, brain).files
    return record, files


def files_kept(found: EarlierResult) -> str:
    """What a person changed, in words: the label map, or files beside it."""
    names = sorted(found.by_hand)
    known = {LABELS: "the label map", SLICER[0]: "Slicer's segmentation"}
    return ", ".join(next((word for end, word in known.items() if name.endswith(end)), name) for name in names)
