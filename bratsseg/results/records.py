"""Every record below a folder: the one walk that finds results of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bratsseg.results.record import CaseRecord, read_record
from bratsseg.study.mark import record_beside


def find_records(root: Path) -> Iterator[tuple[Path, CaseRecord]]:
    """Each folder below ``root`` that holds a record this version understands, with it, in the order of their paths."""
    for folder, files in walk(root):
        path = record_beside(folder)
        if path.name in files and (record := read_record(path)) is not None:
            yield folder, record


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder below ``root`` with the names of its files, both sorted.

    Links are followed, but each folder is seen once; hidden names are passed over.
    """
    seen: set[str] = set()
    for place, inside, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        inside[:] = [] if real in seen else sorted(name for name in inside if not name.startswith("."))
        if real not in seen:
            yield Path(place), sorted(name for name in files if not name.startswith("."))
        seen.add(real)
