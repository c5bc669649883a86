"""How often each file is opened for reading, as Python's own audit tells it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_counting: list[Counter[Path]] = []


def _heard(event: str, details: tuple[object, ...]) -> None:
    if event != "open" or not _counting:
        return
    path, _, flags = details
    if isinstance(path, str | os.PathLike) and isinstance(flags, int) and flags & os.O_ACCMODE != os.O_WRONLY:
        for counter in _counting:
            counter[Path(path).resolve()] += 1


sys.addaudithook(_heard)


@contextmanager
def counted_opens() -> Iterator[Counter[Path]]:
    """Counts, by resolved path, while the block runs; threads are heard as well, other processes are not."""
    counter: Counter[Path] = Counter()
    _counting.append(counter)
    try:
        yield counter
    finally:
        _counting.remove(counter)
