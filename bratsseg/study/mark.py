"""How files of ours are told from anyone else's: a mark in the header, and a record beside them that lists them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from isal import igzip

from bratsseg.files import GZIP_MAGIC

MARK = b"bratsseg"
"""What the description in the header of a NIfTI file of ours begins with."""
MOST_RECORD_BYTES = 4 << 20
"""A larger JSON is no record of ours and is not read."""
_DESCRIP = {348: slice(148, 228), 540: slice(240, 320)}  # NIfTI-1, NIfTI-2


def record_beside(folder: Path) -> Path:
    """Where the record of the case whose results lie in ``folder`` is: named as the folder."""
    return folder / f"{folder.name}.json"


def not_ours(folder: Path, files: Iterable[Path], may_be: Callable[[Path], bool]) -> Iterator[Path]:
    """Those ``files`` of ``folder`` that neither a record of ours lists as outputs nor carry our mark.

    ``may_be`` says of which files the mark is looked for: to open every scan for it would cost a read each.
    """
    outputs = _recorded_outputs(folder)
    for file in files:
        if file.name not in outputs and not (may_be(file) and carries_mark(file)):
            yield file


def carries_mark(file: Path) -> bool:
    """True for a NIfTI file, compressed or not, whose header says that it is a result of ours."""
    return bool(mark_of(file))


def mark_of(file: Path) -> str:
    """The mark in the header of a NIfTI file of ours, such as "bratsseg default 4 brats2023"; empty for any other."""
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            block = igzip.open(raw, "rb").read(540) if packed else raw.read(540)
    except (OSError, EOFError, igzip.isal_zlib.error):
        return ""
    size = int.from_bytes(block[:4], "little")
    said = block[_DESCRIP[size]] if size in _DESCRIP else b""
    return said.rstrip(b"\0").decode("utf-8", "replace") if said.startswith(MARK) else ""


def _recorded_outputs(folder: Path) -> set[str]:
    record = record_beside(folder)
    try:
        if record.stat().st_size > MOST_RECORD_BYTES:
            return set()
        facts = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return set()
    if not isinstance(facts, dict) or "bratsseg" not in facts:
        return set()
    outputs = facts.get("outputs")
    return {str(name) for name in outputs} if isinstance(outputs, dict | list) else set()
