"""Make a case's result visible: the whole new one in the place of the whole old one, at one moment.

A case is done when ``OUT/<case>/<case>.json`` says so: it holds the hashes of the inputs, of the model, of the options
that matter and of its sibling files. A refused case has a record too. Everything else in OUT, such as ``cases.csv``, is
derived from the records.

The new folder of a case is made ready in staging: new files, and further names (hard links) of what stays. Then the
two folders change places. So a full disk, a kill or a folder that cannot be written leave the old result, whole.
Whatever a person changed or added is in the new folder too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bratsseg.claims import ClaimLost
from bratsseg.errors import WriteError
from bratsseg.files import json_bytes, sync_folder, write_files
from bratsseg.results.filenames import REPORT, folders_for_edits
from bratsseg.results.record import CaseRecord, hash_or_none, read_record, record_path
from bratsseg.results.staging import Staging
from bratsseg.results.swap import link_entry
from bratsseg.study.mark import record_beside


def publish(record: CaseRecord, files: Mapping[str, bytes], staging: Staging) -> tuple[str, ...]:
    """Replace the result of a case by ``files`` and ``record``; ``WriteError`` leaves the old result as it was.

    Outputs of an earlier run that no longer apply go. Whatever a person changed of them, and any file of the user's own
    whose name a new one needs, moves to ``<case>/edited-<date>/``; the paths that it has there are returned.
    """
    return _replace(record, files, staging, keep_outputs=False)


def publish_more(record: CaseRecord, files: Mapping[str, bytes], staging: Staging) -> tuple[str, ...]:
    """Add ``files`` to the result of a case and replace its record; all other files stay. Otherwise as ``publish``."""
    return _replace(record, files, staging, keep_outputs=True)


def _replace(
    record: CaseRecord, files: Mapping[str, bytes], staging: Staging, *, keep_outputs: bool
) -> tuple[str, ...]:
    target = record_path(staging.out, record.case).parent
    try:
        with staging.new_folder() as staged:
            fresh = staged / target.name
            fresh.mkdir()
            # The record says "done" of files that are on the disk, so it is written when they are.
            write_files(fresh, {**files, record_beside(target).name: record_bytes(record)})
            with staging.publishing(record.case):
                known, aside = _carry_over(target, fresh, keep_outputs) if target.is_dir() else ((), ())
                sync_folder(fresh)
                staging.put_in_place(fresh, target, known)
                return tuple(aside)
    except ClaimLost:
        raise
    except (OSError, WriteError) as error:
        cause = error.__cause__ if isinstance(error, WriteError) and error.__cause__ is not None else error
        why = getattr(cause, "strerror", None) or cause
        stays = "; what was there stays" if target.exists() else ""
        raise WriteError(f"case {record.case}: its results must fit into OUT; {why}{stays}") from error


def record_bytes(record: CaseRecord) -> bytes:
    """A record as it lies on the disk."""
    return json_bytes(record.model_dump(mode="json"), f"case {record.case}: its record")


def _carry_over(old: Path, fresh: Path, keep_outputs: bool) -> tuple[list[str], list[str]]:
    """Give ``fresh`` what stays of the result in ``old``, and its permissions.

    Returns the names seen in ``old``, and where in ``fresh`` lies what had to make room.
    """
    record = read_record(record_beside(old))
    made = {path.name for path in fresh.iterdir()}
    entries = [entry for entry in sorted(old.iterdir()) if entry.name != record_beside(old).name]
    aside = []
    for entry in entries:
        known = _is_as_written(entry, record) or (entry.name in made and _equal(entry, fresh / entry.name))
        ours = known or (record is not None and entry.name in record.written)
        if entry.name not in made and (keep_outputs or not ours):
            link_entry(entry, fresh / entry.name)
        elif not known:
            place = _aside(old, fresh) / entry.name
            link_entry(entry, place, moved=True)
            aside.append(f"{old.name}/{place.relative_to(fresh).as_posix()}")
    fresh.chmod(old.stat().st_mode & 0o7777)
    return [entry.name for entry in entries], aside


def _is_as_written(entry: Path, record: CaseRecord | None) -> bool:
    """True for a file of ours that nobody changed since. Of reports, earlier versions kept no hash."""
    if record is None or not entry.is_file():
        return False
    old = record.options.get("report") and not record.pages
    if old and entry.name in {f"{record.stem}{end}" for end in REPORT}:
        return True
    return entry.name in record.written and hash_or_none(entry) == record.written[entry.name]


def _equal(one: Path, other: Path) -> bool:
    return one.is_file() and hash_or_none(one) == hash_or_none(other)


def _aside(old: Path, fresh: Path) -> Path:
    """A folder of this day for what a person changed, a new one for each run."""
    name = next(name for name in folders_for_edits() if not (old / name).exists())
    (fresh / name).mkdir(exist_ok=True)
    return fresh / name
