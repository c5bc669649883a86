"""How a batch gets on, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from bratsseg.batch.work import Outcome
from bratsseg.cli import progress


def test_without_a_terminal_progress_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    with progress.Progress(stream) as shown:
        shown.begin(100)
        for _ in range(30):
            clock[0] += 10
            shown.settled(Outcome("x", "done", "", "", fresh=True))
        shown.settled(Outcome("y", "refused", "skull_on", "still shows skull", fresh=True))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "6 of 100 cases, 10.0 s a case, 0:15:40 left"
    assert len(lines) == 6
    assert lines[-1] == "refused y: still shows skull (skull_on)"


def test_on_a_terminal_progress_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with progress.Progress(stream) as shown:
        shown.begin(2)
        shown.settled(Outcome("x", "done", "", "", fresh=True))
        shown.settled(Outcome("y", "failed", "failed", "why", fresh=True))
    assert "2/2" in stream.getvalue()
    assert "failed y: why (failed)" in stream.getvalue()
