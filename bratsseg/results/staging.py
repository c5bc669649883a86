"""A private folder inside OUT where results lie until they are whole, and from which they take their place.

Every process that writes into OUT makes one, claims it while it lives, and removes it at the end. A folder that nobody
claims was left by a killed run and is removed by the next one. The same claims say which process works on which case.

Where two folders cannot change places in one step, the old result lies in staging for a moment under the path that it
had. A run killed in that moment left it there, and the next run puts it back before it removes anything.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType

from bratsseg.claims import FOLDER, ClaimFiles, ClaimLost, Claims
from bratsseg.errors import UsageError
from bratsseg.files import sync_folder
from bratsseg.results.swap import exchange

PREFIX = ".bratsseg-run-"
CASE = "case "
"""What the claim of a case begins with."""
_WAS = "was"


def claim_of(case: str) -> str:
    """What a process claims to work on the case of that name: all whose folders lie in one, for one replaces others."""
    return f"{CASE}{case.partition('/')[0]}"


class Staging:
    """The private folder of this process, as a context manager: made on entering, gone on leaving."""

    def __init__(self, out: Path, claims: Claims | None = None) -> None:
        self.out = out
        self.claims = claims or Claims(ClaimFiles(out / FOLDER))
        self._folder = out
        self._one_at_a_time = threading.RLock()
        self._numbers = count(1)  # next() of it is one step, whichever thread asks

    def __enter__(self) -> Staging:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.claims.__enter__()
            remove_stale(self.out, self.claims)
            name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
            self.claims.take(name)  # before it is there, so that nobody finds it unclaimed
            (self.out / name).mkdir()
            self._folder = self.out / name
        except OSError as error:
            self.claims.__exit__(None, None, None)
            raise UsageError(f"OUT {self.out}: must be a folder that can be written to; {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _clear(self._folder, self.out)
        with suppress(OSError):
            remove_stale(self.out, self.claims)  # of runs that were killed while this one went on
        self.claims.__exit__(kind, error, at)

    @property
    def private(self) -> Path:
        """The private folder."""
        return self._folder

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
    def publishing(self, *cases: str, wait: bool = True) -> Iterator[None]:
        """Held while files of ``cases`` move from here to where the user sees them: processes do not interleave.

        A case that another process works on is waited for; without ``wait`` it is ``ClaimLost``, as is a case that was
        this process's and was taken over.
        """
        with self._one_at_a_time, ExitStack() as stack:
            for claim in sorted({claim_of(case) for case in cases}):
                if self.claims.holds(claim):
                    if not self.claims.confirm(claim):
                        raise ClaimLost(f"{claim}: another run took it over, because this one stood still for too long")
                elif wait:
                    stack.enter_context(self.claims.held(claim))
                elif self.claims.take(claim):
                    stack.callback(self.claims.release, claim)
                else:
                    raise ClaimLost(f"{claim}: another run works on it")
            yield

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Held by one process at a time for ``what`` concerns all of OUT, such as its table; others are waited for."""
        with self.claims.held(what):
            yield

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


def remove_stale(out: Path, claims: Claims) -> None:
    """Remove what killed runs left in OUT; folders of living processes are kept."""
    for folder in out.glob(f"{PREFIX}*"):
        if not claims.holds(folder.name) and claims.take(folder.name):
            with suppress(OSError):
                _clear(folder, out)
            claims.release(folder.name)
