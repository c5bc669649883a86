"""A folder that studies are dropped into: each is segmented once it is whole.

Nobody says when a copy is finished. So a study counts as whole when none of its files came, went, grew or was touched
for a while. What changes later is segmented again, as its scans are then other ones. What is still half there after
that while is refused by name, and taken again when the rest has come.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bratsseg.study.case import Case
from bratsseg.study.layout import find_cases

Files = frozenset[tuple[str, int, int]]
"""The files of a study by path, size and time of the last change."""


class DropFolder:
    """What came into ``folder`` and has been still for ``settle`` seconds of ``clock``.

    What lies in one folder of ``folder`` is still together; a file directly in it is so alone.
    """

    def __init__(self, folder: Path, settle: float, clock: Callable[[], float], layout: Path | None = None) -> None:
        self._folder, self._settle, self._clock, self._layout = folder, settle, clock, layout
        self._seen: dict[str, tuple[Files, float]] = {}
        self._taken: dict[str, Files] = {}

    def whole(self) -> list[Case]:
        """The cases that have become whole since the last look, each of which is given once."""
        ready = dict(self._still())
        if not ready:
            return []
        everything = len(ready) == len(self._seen)
        cases = [case for case in find_cases(self._folder, self._layout) if self._lies_in(case, ready, everything)]
        self._taken |= ready
        return [case for case in cases if not case.sources or self._units(case) & ready.keys()]

    def _still(self) -> Iterator[tuple[str, Files]]:
        now, found = self._clock(), self._look()
        self._seen = {
            unit: (files, self._seen[unit][1] if unit in self._seen and self._seen[unit][0] == files else now)
            for unit, files in found.items()
        }
        for unit, (files, since) in self._seen.items():
            if now - since >= self._settle and self._taken.get(unit) != files:
                yield unit, files

    def _lies_in(self, case: Case, ready: dict[str, Files], everything: bool) -> bool:
        """True when no file of a case is still on its way. Of one without scans nobody knows where it lies."""
        if not case.sources:
            return everything
        settled = {unit for unit, (files, _) in self._seen.items() if self._taken.get(unit) == files}
        return self._units(case) <= ready.keys() | settled

    def _units(self, case: Case) -> set[str]:
        return {source.path.relative_to(self._folder).parts[0] for source in case.sources.values()}

    def _look(self) -> dict[str, Files]:
        found: dict[str, set[tuple[str, int, int]]] = {}
        for place, inside, names in os.walk(self._folder, followlinks=True):
            inside[:] = [name for name in inside if not name.startswith(".")]
            for name in names:
                if name.startswith("."):  # what programs that copy call a file until it is whole
                    continue
                path = Path(place) / name
                try:
                    state = path.stat()
                except OSError:
                    continue
                below = path.relative_to(self._folder)
                found.setdefault(below.parts[0], set()).add((str(below), state.st_size, state.st_mtime_ns))
        return {unit: frozenset(files) for unit, files in found.items()}


def watch(drop: DropFolder, segment: Callable[[list[Case]], None], wait: Callable[[], bool]) -> None:
    """Hand what has become whole to ``segment``, until ``wait``, which waits for the next look, answers False."""
    while True:
        if cases := drop.whole():
            segment(cases)
        if not wait():
            return
