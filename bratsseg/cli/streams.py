"""The streams a command talks through. Work is never lost because nobody can hear of it.

A closed stream (``2>&-``, a scheduler's own), a full disk under a log, a reader that went away (``| head``): what is
said is dropped, and the work goes on. A locale of ASCII holds neither the names of files nor what is said of them.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any

NAMES = ("stdin", "stdout", "stderr")


def use_utf8() -> None:
    """Start this process again in Python's UTF-8 mode where file names are in another encoding, such as ASCII."""
    if sys.platform == "win32" or sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})


def open_streams() -> None:
    """Make stdin, stdout and stderr streams that can be used, whatever this process was started with.

    Streams that a program put in their place (a test, a notebook) are left alone.
    """
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:  # or the next file that is opened takes this number, and what C libraries say goes into it
            os.open(os.devnull, os.O_RDWR)
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, stream)
        elif name != "stdin" and stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _unbreakable(stream))


def fault_of_stdout() -> OSError | None:
    """Why not all of what was told on stdout arrived; None when it did, or when the reader wanted no more."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    fault = raw.fault if isinstance(raw, _Raw) else None
    return fault if fault is not None and fault.errno != errno.EPIPE else None


class _Raw(io.FileIO):
    """A file whose writes never fail; the first ``fault`` is kept."""

    fault: OSError | None = None

    def write(self, content: Any) -> int:
        """All of ``content``, or as if."""
        try:
            written = super().write(content)
        except OSError as error:
            self.fault = self.fault or error
            written = None
        return memoryview(content).nbytes if written is None else written


def _unbreakable(stream: Any) -> io.TextIOWrapper:
    """The same stream, whose writes never fail: neither for where they go nor for what the encoding lacks."""
    stream.flush()
    raw = _Raw(stream.fileno(), "w", closefd=False)
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffered,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=raw.isatty() or stream.line_buffering,
    )
