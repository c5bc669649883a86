"""Reports of a result folder: one case while it is made, or all of them again from their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bratsseg.errors import CaseError, UsageError
from bratsseg.files import digests, json_bytes
from bratsseg.report.case_facts import CaseFacts, gather
from bratsseg.report.case_report import case_page
from bratsseg.report.cohort import made_for, read_measures
from bratsseg.report.cohort_report import write_index
from bratsseg.report.picture import case_png, mosaic, small_jpeg
from bratsseg.report.scans import read_scans
from bratsseg.report.sheet import case_pdf
from bratsseg.results.commit import publish_more
from bratsseg.results.edited import follow_edit
from bratsseg.results.filenames import MEASURES, PAGE, PICTURE, REPORT, SHEET, SMALL
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.reading import read_label_map
from bratsseg.results.record import CaseRecord, read_record
from bratsseg.results.records import find_records
from bratsseg.results.staging import Staging
from bratsseg.study.brain import Brain
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.mark import record_beside
from bratsseg.study.volume import Study


@dataclass(frozen=True)
class Report:
    """The report of one case: its files by name, and its measures as plain values."""

    files: Mapping[str, bytes]
    measures: dict[str, Any]


@dataclass(frozen=True)
class RebuiltReports:
    """What came of rebuilding: the index, how many cases have a report, and why others have none."""

    index: Path
    reports: int
    failed: dict[str, str]


def report_case(
    study: Study | None,
    label_map: LabelMap,
    record: CaseRecord,
    brain: Brain | None = None,
    notes: tuple[str, ...] = (),
) -> Report:
    """The report of one case: page, picture, sheet, small picture, measures.

    ``record`` is the case's, with the hash of its label map in ``outputs``; ``study`` None draws outlines on an even
    ground; ``brain``, when at hand, saves looking for it; ``notes`` join the warnings. Nothing is written.
    """
    facts = gather(record, label_map, study, brain, notes)
    cuts = mosaic(facts.gallery)
    small = small_jpeg(facts.gallery)
    measures = _measures_json(facts)
    files = {
        PAGE: case_page(facts).encode(),
        PICTURE: case_png(facts, cuts),
        SHEET: case_pdf(facts, cuts),
        **({} if small is None else {SMALL: small}),
        MEASURES: json_bytes(measures, record.case),
    }
    return Report({f"{record.stem}{suffix}": content for suffix, content in files.items()}, measures)


def has_report(folder: Path, record: CaseRecord) -> bool:
    """True when the report in ``folder`` is whole and made from the label map that ``record`` speaks of."""
    made_for = read_measures(folder, record)
    return made_for is not None and all((folder / f"{record.stem}{end}").is_file() for end in (PAGE, PICTURE, SHEET))


def build_reports(
    out: Path,
    scans: Path | None = None,
    workers: int = 1,
    progress: Callable[[Iterable[str], int], Iterable[str]] = lambda cases, _: cases,
) -> RebuiltReports:
    """Make every report in OUT again from its files, and ``OUT/index.html``.

    ``scans`` is the folder that was segmented; without it outlines are drawn on an even ground. ``progress`` may wrap
    the case ids as they get done, given their number (tqdm does). A case whose files cannot be read is named in
    ``failed`` and on the index, and keeps no report of an earlier run. Where a person changed the label map, the report
    is of it as it is now, and the record follows. ``UsageError`` when OUT holds no results.
    """
    for folder, name in ((out, "OUT"), (scans, "--scans")):
        if folder is not None and not folder.is_dir():
            raise UsageError(
                f"{name} {folder}: must be a folder, {'was a file' if folder.exists() else 'there is none'}"
            )
    found = [(folder, result.case, result.status == "done") for folder, result in find_records(out)]
    if not found:
        raise UsageError(f"OUT {out}: must hold results of bratsseg segment (<case>/<case>.json), found none")
    for folder, _, done in found:
        if not done:
            remove_report(folder, folder.name)
    folders = {folder: case for folder, case, done in found if done}
    failed: dict[str, str] = {}

    def settle() -> Iterable[str]:
        for folder, reason in _rebuilt(out, list(folders), scans, workers):
            if reason:
                failed[folders[folder]] = reason
            yield folders[folder]

    for _ in progress(settle(), len(folders)):
        pass
    return RebuiltReports(write_index(out, failed), len(folders) - len(failed), failed)


def remove_report(folder: Path, stem: str) -> None:
    """Remove the report of the case called ``stem``."""
    for suffix in REPORT:
        (folder / f"{stem}{suffix}").unlink(missing_ok=True)


def _rebuilt(out: Path, folders: list[Path], scans: Path | None, workers: int) -> Iterable[tuple[Path, str]]:
    """(folder, why it failed or "") of each case, in order."""
    work = partial(_rebuild, out=out, scans=scans)
    if workers == 1 or len(folders) < 2:
        yield from zip(folders, map(work, folders), strict=True)
        return
    with ProcessPoolExecutor(min(workers, len(folders)), mp_context=get_context("spawn")) as pool:
        yield from zip(folders, pool.map(work, folders), strict=True)


def _rebuild(folder: Path, out: Path, scans: Path | None) -> str:
    """Make one report again; the reason when it cannot be made."""
    record = read_record(record_beside(folder))
    if record is None:
        return "the record was removed meanwhile"
    try:
        record = follow_edit(folder, record)
        label_map, _ = read_label_map(label_map_beside(folder, record), record.dialect)
        study, notes = (None, ()) if scans is None else read_scans(scans, record)
        files = report_case(study, label_map, record, notes=notes).files
        record = record.model_copy(update={"pages": digests(files)})
        with Staging(out) as staging:
            publish_more(record, files, staging)
    except CaseError as error:
        remove_report(folder, folder.name)
        return str(error)
    return ""


def _measures_json(facts: CaseFacts) -> dict[str, Any]:
    result: CaseRecord = facts.result
    return {
        "case": result.case,
        "made_for": made_for(result),
        "flags": len(facts.warnings),
        "quality": {str(region): found.model_dump(mode="json") for region, found in result.quality.items()},
        **facts.measures.as_json(),
    }
