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
from bratsseg.report.case_facts import CaseFacts, gather
from bratsseg.report.case_report import case_page
from bratsseg.report.cohort import MEASURES, PAGE, SMALL
from bratsseg.report.cohort_report import write_index
from bratsseg.report.picture import case_png, mosaic, small_jpeg
from bratsseg.report.result import find_results, read_label_map, read_scans
from bratsseg.report.sheet import case_pdf
from bratsseg.study.brain import Brain
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.record import CaseRecord, parse_record
from bratsseg.study.volume import Study
from bratsseg.study.writing import write_bytes, write_json, write_text

PICTURE, SHEET = "_report.png", "_report.pdf"
SUFFIXES = (PAGE, PICTURE, SHEET, SMALL, MEASURES)
"""What the files of a report end in, after the case's name."""


@dataclass(frozen=True)
class Built:
    """What came of rebuilding: the index, how many cases have a report, and why others have none."""

    index: Path
    reports: int
    failed: dict[str, str]


def report_case(
    study: Study, label_map: LabelMap, record: Mapping[str, Any], folder: Path, brain: Brain | None = None
) -> list[Path]:
    """Write the report of one case into ``folder``: page, picture, sheet, small picture, measures.

    ``record`` is the case's record as plain values, with the hash of its label map in ``outputs``; ``brain``, when at
    hand, saves looking for it. Raises ``WriteError``, and ``CaseError`` when ``record`` is none.
    """
    result = parse_record(record)
    if result is None:
        raise CaseError("a report needs a record of this version; make the result again")
    return _write(gather(result, label_map, study, brain), folder, result.stem)


def build_reports(
    out: Path,
    scans: Path | None = None,
    workers: int = 1,
    progress: Callable[[Iterable[str], int], Iterable[str]] = lambda cases, _: cases,
) -> Built:
    """Make every report in OUT again from its files, and ``OUT/index.html``.

    ``scans`` is the folder that was segmented; without it outlines are drawn on an even ground. ``progress`` may wrap
    the case ids as they get done, given their number (tqdm does). A case whose files cannot be read is named in
    ``failed`` and on the index, and keeps no report of an earlier run. ``UsageError`` when OUT holds no results.
    """
    for folder, name in ((out, "OUT"), (scans, "--scans")):
        if folder is not None and not folder.is_dir():
            raise UsageError(
                f"{name} {folder}: must be a folder, {'was a file' if folder.exists() else 'there is none'}"
            )
    found = [(folder, result.case, result.status == "done") for folder, result in find_results(out)]
    if not found:
        raise UsageError(f"OUT {out}: must hold results of bratsseg segment (<case>/<case>.json), found none")
    for folder, _, done in found:
        if not done:
            remove_report(folder, folder.name)
    folders = {folder: case for folder, case, done in found if done}
    failed: dict[str, str] = {}

    def settle() -> Iterable[str]:
        for folder, reason in _rebuilt(list(folders), scans, workers):
            if reason:
                failed[folders[folder]] = reason
            yield folders[folder]

    for _ in progress(settle(), len(folders)):
        pass
    return Built(write_index(out, failed), len(folders) - len(failed), failed)


def remove_report(folder: Path, stem: str) -> None:
    """Remove what ``report_case`` wrote for the case called ``stem``."""
    for suffix in SUFFIXES:
        (folder / f"{stem}{suffix}").unlink(missing_ok=True)


def _rebuilt(folders: list[Path], scans: Path | None, workers: int) -> Iterable[tuple[Path, str]]:
    """(folder, why it failed or "") of each case, in order."""
    work = partial(_rebuild, scans=scans)
    if workers == 1 or len(folders) < 2:
        yield from zip(folders, map(work, folders), strict=True)
        return
    with ProcessPoolExecutor(min(workers, len(folders)), mp_context=get_context("spawn")) as pool:
        yield from zip(folders, pool.map(work, folders), strict=True)


def _rebuild(folder: Path, scans: Path | None) -> str:
    """Make one report again; the reason when it cannot be made."""
    result = next((result for place, result in find_results(folder) if place == folder), None)
    if result is None:
        return "the record was removed meanwhile"
    try:
        label_map, notes = read_label_map(folder, result)
        if notes:  # the figures speak of the map that was changed since
            result = result.model_copy(update={"quality": {}})
        study, more = (None, ()) if scans is None else read_scans(scans, result)
        _write(gather(result, label_map, study, notes=(*notes, *more)), folder, folder.name)
    except CaseError as error:
        remove_report(folder, folder.name)
        return str(error)
    return ""


def _write(facts: CaseFacts, folder: Path, stem: str) -> list[Path]:
    cuts = mosaic(facts.gallery)
    files = {suffix: folder / f"{stem}{suffix}" for suffix in SUFFIXES}
    write_text(files[PAGE], case_page(facts))
    write_bytes(files[PICTURE], case_png(facts, cuts))
    write_bytes(files[SHEET], case_pdf(facts, cuts))
    small = small_jpeg(facts.gallery)
    if small is None:
        files.pop(SMALL).unlink(missing_ok=True)
    else:
        write_bytes(files[SMALL], small)
    write_json(files[MEASURES], _measures_json(facts))
    return list(files.values())


def _measures_json(facts: CaseFacts) -> dict[str, Any]:
    result: CaseRecord = facts.result
    return {
        "case": result.case,
        "made_for": result.outputs.get(result.label_file),
        "flags": len(facts.warnings),
        "quality": {str(region): found.model_dump(mode="json") for region, found in result.quality.items()},
        **facts.measures.as_json(),
    }
