"""How a batch gets on: a bar on a terminal, a line a minute anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

from bratsseg.batch.work import Outcome
from bratsseg.wording import duration

_LINE_EVERY_SECONDS = 60.0


class Progress:
    """Cases done, rate and time left, on ``stream``; refusals are named as they happen."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._bar: tqdm[Any] | None = None
        self._total = self._settled = self._fresh = 0
        self._start = self._spoken = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, total: int) -> None:
        """So many cases are at hand."""
        self._total = total
        self._start = self._spoken = time.monotonic()
        if self._stream.isatty():
            self._bar = tqdm(total=total, unit="case", file=self._stream, dynamic_ncols=True, smoothing=0.1)

    def settled(self, outcome: Outcome) -> None:
        """One more case is done, refused or failed."""
        self._settled += 1
        self._fresh += outcome.fresh
        if outcome.status != "done":
            why = outcome.reason.removeprefix(f"case {outcome.case}: ")
            self._say(f"{outcome.status} {outcome.case}: {why} ({outcome.code})")
        elif outcome.by_hand:
            self._say(f"kept {outcome.case}: {outcome.by_hand}; --overwrite computes it again and keeps a copy")
        for path in outcome.moved_aside:
            self._say(f"moved aside {outcome.case}: {path}")
        if self._bar is not None:
            self._bar.update()
        elif time.monotonic() - self._spoken >= _LINE_EVERY_SECONDS:
            self._spoken = time.monotonic()
            self._say(self._line())

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def _line(self) -> str:
        """Cases finished by an earlier run cost nothing, so only this run's tell the rate."""
        seconds = (time.monotonic() - self._start) / max(self._fresh, 1)
        left = seconds * (self._total - self._settled)
        return f"{self._settled} of {self._total} cases, {seconds:.1f} s a case, {duration(left)} left"
