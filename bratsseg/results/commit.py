"""Make a case's result visible: the whole new one in the place of the whole old one, at one moment.

A case is done when ``OUT/<case>/<case>.json`` says so: it holds the hashes of the inputs, of the model, of the options
that matter and of its sibling files. A refused case has a record too. Everything else in OUT, such as ``cases.csv``, is
derived from the records.

The new folder of a case is made ready in staging: new files, and further names (hard links) of what stays. Then the
two folders change places. So a full disk, a kill or a folder that cannot be written leave the old result, whole.
Whatever a person changed or added is in the new folder too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path

from bratsseg.errors import WriteError
from bratsseg.files import json_bytes, sync_folder, write_files
from bratsseg.results.edited import changed_by_hand
from bratsseg.results.filenames import EDITED, is_result_file
from bratsseg.results.record import CaseRecord, read_record, record_path
from bratsseg.results.staging import Staging
from bratsseg.results.swap import link_entry


def publish(record: CaseRecord, files: Mapping[str, bytes], staging: Staging) -> None:
    """Replace the result of a case by ``files`` and ``record``; ``WriteError`` leaves the old result as it was.

    Outputs of an earlier run that no longer apply go. Those that a person changed move to ``<case>/edited-<date>/``.
    """
    _replace(record, files, staging, keep_outputs=False)


def publish_more(record: CaseRecord, files: Mapping[str, bytes], staging: Staging) -> None:
    """Add ``files`` to the result of a case and replace its record; every other file stays. ``WriteError`` as above."""
    _replace(record, files, staging, keep_outputs=True)


def _replace(record: CaseRecord, files: Mapping[str, bytes], staging: Staging, *, keep_outputs: bool) -> None:
    target = record_path(staging.out, record.case).parent
    try:
        with staging.new_folder() as staged:
            fresh = staged / target.name
            fresh.mkdir()
            # The record says "done" of files that are on the disk, so it is written when they are.
            write_files(fresh, files)
            write_files(fresh, {record_path(staging.out, record.case).name: record_bytes(record)})
            with staging.publishing():
                known = _carry_over(target, fresh, keep_outputs) if target.is_dir() else frozenset()
                sync_folder(fresh)
                staging.put_in_place(fresh, target, known)
    except (OSError, WriteError) as error:
        cause = error.__cause__ if isinstance(error, WriteError) and error.__cause__ is not None else error
        why = getattr(cause, "strerror", None) or cause
        stays = "; what was there stays" if target.exists() else ""
        raise WriteError(f"case {record.case}: its results must fit into OUT; {why}{stays}") from error


def record_bytes(record: CaseRecord) -> bytes:
    """A record as it lies on the disk."""
    return json_bytes(record.model_dump(mode="json"), f"case {record.case}: its record")


def _carry_over(old: Path, fresh: Path, keep_outputs: bool) -> frozenset[str]:
    """Give ``fresh`` what stays of the result in ``old``, and its permissions; returns the names seen in ``old``."""
    made = {path.name for path in fresh.iterdir()}
    entries = sorted(old.iterdir())
    by_hand = _by_hand(old, made, keep_outputs)
    for entry in entries:
        if entry.name in by_hand:
            link_entry(entry, _aside(old, fresh) / entry.name)
        elif entry.name not in made and (keep_outputs or not is_result_file(entry.name, old.name)):
            link_entry(entry, fresh / entry.name)
    fresh.chmod(old.stat().st_mode & 0o7777)
    return frozenset(entry.name for entry in entries)


def _by_hand(old: Path, made: Collection[str], keep_outputs: bool) -> Collection[str]:
    """Results in ``old`` that would go although nobody can make them again."""
    record = read_record(old / f"{old.name}.json")
    changed = changed_by_hand(old, record)
    return {name for name in changed if name in made or (not keep_outputs and is_result_file(name, old.name))}


def _aside(old: Path, fresh: Path) -> Path:
    """A folder of this day for what a person changed, a new one for each run."""
    day, number = f"{EDITED}{date.today().isoformat()}", 1
    name = day
    while (old / name).exists():
        number += 1
        name = f"{day}-{number}"
    (fresh / name).mkdir(exist_ok=True)
    return fresh / name
