"""Whether the results in a folder are what was written: bit rot, half copies, and what a person changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bratsseg.results.edited import changed_by_hand
from bratsseg.results.filenames import is_result_file
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.reading import is_readable
from bratsseg.results.record import CaseRecord, hash_or_none, read_record
from bratsseg.results.records import walk
from bratsseg.study.mark import carries_mark, record_beside


class Fault(StrEnum):
    """What is wrong with a file of a result. Only ``EDITED`` is nobody's fault."""

    MISSING = "missing"
    DAMAGED = "damaged"
    NO_RECORD = "no record"
    EDITED = "edited"


@dataclass(frozen=True)
class FileFault:
    """A file below OUT, what is wrong with it, and that in words."""

    file: str
    fault: Fault
    reason: str


@dataclass(frozen=True)
class CheckedFolder:
    """The folder of one case: its record, if there is one that can be read, and what is wrong in it."""

    folder: Path
    record: CaseRecord | None
    findings: tuple[FileFault, ...]


def check_results(out: Path) -> Iterator[CheckedFolder]:
    """Each folder below ``out`` that holds a result or what is left of one, every file of it read and hashed."""
    for folder, files in walk(out):
        path = record_beside(folder)
        record = read_record(path) if path.name in files else None
        if record is not None:
            yield CheckedFolder(folder, record, tuple(_against_record(folder, record, out)))
        elif left := [name for name in files if _is_left(folder, name)]:
            yield CheckedFolder(folder, None, tuple(_without_record(folder, left, path.name in files, out)))


def _against_record(folder: Path, record: CaseRecord, out: Path) -> Iterator[FileFault]:
    edited = changed_by_hand(folder, record)
    for name, written in record.written.items():
        file = (folder / name).relative_to(out).as_posix()
        now = hash_or_none(folder / name)
        if now is None:
            yield FileFault(file, Fault.MISSING, "the record lists it, and it is not there or cannot be read")
        elif now != written and name not in edited:
            yield FileFault(file, Fault.DAMAGED, "its bytes are not those that were written")
        elif now != written and not _can_be_read(folder, name, record):
            yield FileFault(file, Fault.DAMAGED, "its bytes are not those that were written, and nobody saved these")
        elif now != written:
            known = "" if record.edited.get(name) == now else "; volumes and reports do not follow it yet"
            yield FileFault(file, Fault.EDITED, f"a person changed it{known}")


def _can_be_read(folder: Path, name: str, record: CaseRecord) -> bool:
    """True for a drawing that can be read to its end; only label maps are, of other files nothing can be said."""
    return name != record.label_file or is_readable(label_map_beside(folder, record))


def _without_record(folder: Path, left: list[str], has_json: bool, out: Path) -> Iterator[FileFault]:
    reason = "its record cannot be read" if has_json else "there is no record beside it: a copy that was cut short"
    for name in left:
        yield FileFault((folder / name).relative_to(out).as_posix(), Fault.NO_RECORD, reason)


def _is_left(folder: Path, name: str) -> bool:
    return is_result_file(name, folder.name) and (not name.endswith(".nii.gz") or carries_mark(folder / name))
