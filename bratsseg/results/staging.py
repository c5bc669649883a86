"""A private folder inside OUT where results lie until they are whole, and from which they take their place.

Every process that writes into OUT makes one, holds a lock on it while it lives, and removes it at the end. A folder
whose lock nobody holds was left by a killed run and is removed by the next one. Where folders cannot be locked
(Windows, some network file systems), a folder counts as left behind once it is a day old.

Where two folders cannot change places in one step, the old result lies in staging for a moment under the path that it
had. A run killed in that moment left it there, and the next run puts it back before it removes anything.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType

from bratsseg.errors import UsageError
from bratsseg.files import sync_folder
from bratsseg.results.swap import exchange

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = ".bratsseg-run-"
_WAS = "was"
_OLD_SECONDS = 24 * 3600.0


class Staging:
    """The private folder of this process, as a context manager: made on entering, gone on leaving."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._folder = out
        self._lock: int | None = None
        self._numbers = count(1)  # next() of it is one step, whichever thread asks

    def __enter__(self) -> Staging:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            remove_stale(self.out)
            while not self._make():
                pass
        except OSError as error:
            raise UsageError(f"OUT {self.out}: must be a folder that can be written to; {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _clear(self._folder, self.out)
        if self._lock is not None:
            os.close(self._lock)

    def ignores_case(self) -> bool:
        """True when OUT's file system holds ``A`` and ``a`` for one name; asked while the private folder is there."""
        return self._folder.with_name(self._folder.name.upper()).exists()

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """An empty folder on OUT's file system for the files of one case; removed with what is left in it."""
        staged = self._folder / str(next(self._numbers))
        staged.mkdir()
        try:
            yield staged
        finally:
            _clear(staged, self.out)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Held while files move from here to where the user sees them, so that two processes do not interleave."""
        lock = lock_folder(self.out, wait=True)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    def put_in_place(self, fresh: Path, target: Path, known: Collection[str] = ()) -> None:
        """Let the folder ``fresh``, made by ``new_folder``, take the place of ``target``; ``OSError`` changes nothing.

        What a person put into ``target`` since its ``known`` files were given to ``fresh`` is added to it.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            fresh.rename(target)
        elif exchange(fresh, target):
            _add_late(fresh, target, known)
        else:
            was = fresh.parent / _WAS / target.relative_to(self.out)
            was.parent.mkdir(parents=True)
            target.rename(was)
            try:
                fresh.rename(target)
            except BaseException:
                was.rename(target)
                raise
            _add_late(was, target, known)
        sync_folder(target.parent)

    def _make(self) -> bool:
        """Make the folder and lock it; False when another process took it for a stale one in between."""
        self._folder = self.out / f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._folder.mkdir()
        try:
            self._lock = lock_folder(self._folder, wait=True)
        except FileNotFoundError:
            return False
        if self._folder.is_dir():
            return True
        if self._lock is not None:
            os.close(self._lock)
        return False


def _add_late(old: Path, target: Path, known: Collection[str]) -> None:
    for entry in old.iterdir():
        if entry.name not in known and not (target / entry.name).exists():
            entry.rename(target / entry.name)


def _clear(folder: Path, out: Path) -> None:
    """Remove a folder of staging, unless a result that could not be put back lies in it."""
    with suppress(OSError):
        for was in [*folder.glob(_WAS), *folder.glob(f"*/{_WAS}")]:
            _put_back(was, out)
        shutil.rmtree(folder, ignore_errors=True)


def _put_back(was: Path, out: Path) -> None:
    """Give each result below ``was`` its place in OUT again where that is empty."""
    for place, _, files in os.walk(was, topdown=False):
        old = Path(place)
        target = out / old.relative_to(was)
        if f"{old.name}.json" in files and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            old.rename(target)


def remove_stale(out: Path) -> None:
    """Remove what killed runs left in OUT; folders of living processes are kept."""
    for folder in out.glob(f"{PREFIX}*"):
        with suppress(OSError):
            _remove_if_stale(folder)


def _remove_if_stale(folder: Path) -> None:
    try:
        lock = lock_folder(folder, wait=False)
    except BlockingIOError:
        return
    try:
        if lock is not None or time.time() - folder.stat().st_mtime > _OLD_SECONDS:
            _clear(folder, folder.parent)
    finally:
        if lock is not None:
            os.close(lock)


def lock_folder(folder: Path, wait: bool) -> int | None:
    """A descriptor that holds the folder's lock until it is closed or the process ends; None where none can be had.

    Raises ``BlockingIOError`` when another process holds it and ``wait`` is False.
    """
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        os.close(handle)
        return None
    return handle
