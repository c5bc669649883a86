"""Two or more claimants of one thing, each stopped before every file that it touches, in an order that a test gives."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

EVENTS = ("open", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.scandir")
_here = threading.local()


class Crash(BaseException):
    """Ends a claimant as SIGKILL does: nothing that it does afterwards reaches a file."""


class Claimant:
    """Does ``work`` in a thread that goes on by one file at each ``step``."""

    def __init__(self, work: Callable[[], None], folder: Path) -> None:
        self.folder, self.ended, self._crashed = str(folder), False, False
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._stopped.acquire()

    def step(self) -> None:
        """Let it touch one more file."""
        if not self.ended:
            self._go.release()
            self._stopped.acquire()

    def crash(self) -> None:
        """End it before the file that it was about to touch."""
        self._crashed = True
        while not self.ended:
            self.step()

    def before_a_file(self) -> None:
        if not self._crashed:
            self._stopped.release()
            self._go.acquire()
        if self._crashed:
            raise Crash

    def _run(self, work: Callable[[], None]) -> None:
        _here.claimant = self
        self._stopped.release()
        self._go.acquire()
        try:
            work()
        except Crash:
            pass
        finally:
            _here.claimant = None
            self.ended = True
            self._stopped.release()


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    claimant = getattr(_here, "claimant", None)
    if claimant is None or event not in EVENTS:
        return
    paths = [os.fspath(part) for part in arguments if isinstance(part, str | os.PathLike)]
    if any(str(path).startswith(claimant.folder) for path in paths):
        claimant.before_a_file()


sys.addaudithook(_hook)
