"""How far the work on OUT is: what runs tell of themselves, and what claims and records tell of all of them.

All times are of the file system of OUT, so that runs on several machines can be compared.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bratsseg.claims import FOLDER, LEASE_SECONDS, ClaimFile, ClaimFiles
from bratsseg.results.staging import CASE, PREFIX, Staging
from bratsseg.study.mark import MOST_RECORD_BYTES

_FILE = "progress.json"
_WRITTEN_EVERY_NS = 1_000_000_000
_KINDS: dict[str, type] = {"total": int, "settled": int, "began_ns": int, "device": str}


class RunProgress:
    """What this run tells of itself, in its private folder, once a second at most."""

    def __init__(self, staging: Staging, total: int, began_ns: int, device: str) -> None:
        self._path, self._clock = staging.private / _FILE, staging.claims.files.now_ns
        self._facts: dict[str, Any] = {"total": total, "settled": 0, "began_ns": began_ns, "device": device}
        self._written = 0
        self._write(began_ns)

    def settled(self) -> None:
        """One more case is done, refused or failed."""
        self._facts["settled"] += 1
        with suppress(OSError):
            now = self._clock()
            if now - self._written >= _WRITTEN_EVERY_NS:
                self._write(now)

    def _write(self, now: int) -> None:
        self._written = now
        with suppress(OSError):  # a full disk stops no batch here
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps(self._facts), encoding="utf-8")
            part.replace(self._path)


@dataclass(frozen=True)
class Run:
    """A run on OUT: where, for how many cases, how many it has seen settled, what it has in hand.

    ``state`` is running, killed (seen by this machine), or silent (nothing was heard of it for a lease).
    """

    host: str
    pid: int
    state: str
    silent_seconds: float
    cases: tuple[str, ...]
    total: int = 0
    settled: int = 0
    device: str = ""
    began_ns: int = 0


@dataclass(frozen=True)
class FolderProgress:
    """How far the work on OUT is. ``left`` and what follows from it are None when nobody works there."""

    done: int
    refused: dict[str, int]
    failed: dict[str, int]
    runs: tuple[Run, ...] = ()
    left: int | None = None
    cases_a_minute: float | None = None
    seconds_left: float | None = None
    failed_cases: tuple[str, ...] = field(default=())

    @property
    def running(self) -> bool:
        """True while any run lives."""
        return any(run.state == "running" for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        """The same for other programs."""
        runs = [{key: value for key, value in vars(run).items() if key != "began_ns"} for run in self.runs]
        return {**vars(self), "runs": runs, "running": self.running}


def progress_of(out: Path) -> FolderProgress:
    """How far the work on ``out`` is; changes nothing but for a look at the clock where runs are at work."""
    counted: Counter[tuple[str, str]] = Counter()
    times: list[int] = []
    failed = []
    for name, status, code, written in _told(out):
        counted[status, code] += 1
        times.append(written)
        if status == "failed":
            failed.append(name)
    kinds: dict[str, Any] = {
        status: {code: n for (s, code), n in counted.items() if s == status} for status in ("refused", "failed")
    }
    done = sum(number for (status, _), number in counted.items() if status == "done")
    runs, now = _runs(out, max(times, default=0))
    found: dict[str, Any] = {
        "done": done,
        "refused": kinds["refused"],
        "failed": kinds["failed"],
        "failed_cases": tuple(sorted(failed)),
    }
    living = [run for run in runs if run.state == "running" and run.total]
    if not living:
        return FolderProgress(**found, runs=runs)
    left = max(run.total for run in living) - max(run.settled for run in living)
    began = min(run.began_ns for run in living)
    fresh, seconds = sum(written > began for written in times), (now - began) / 1e9
    rate = fresh / seconds if fresh and seconds > 0 else None
    ahead = None if rate is None else left / rate
    return FolderProgress(**found, runs=runs, left=left, cases_a_minute=rate and 60 * rate, seconds_left=ahead)


def _told(folder: Path) -> Iterator[tuple[str, str, str, int]]:
    """(case, status, code, time of writing in ns) of every record below ``folder``, read for these alone."""
    seen: set[tuple[int, int]] = set()
    rooms = [str(folder)]
    while rooms:
        room = rooms.pop()
        with suppress(OSError), os.scandir(room) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.is_dir():
                    continue
                if entry.is_symlink():
                    real = os.stat(entry.path)  # noqa: PTH116 - thousands of them
                    if (real.st_dev, real.st_ino) in seen:
                        continue
                    seen.add((real.st_dev, real.st_ino))
                rooms.append(entry.path)
                if (told := _record_in(entry.path, entry.name)) is not None:
                    yield told


def _record_in(place: str, name: str) -> tuple[str, str, str, int] | None:
    try:
        with open(f"{place}/{name}.json", "rb") as stream:  # noqa: PTH123
            facts, written = json.loads(stream.read(MOST_RECORD_BYTES)), os.fstat(stream.fileno()).st_mtime_ns
        case, status, code = facts["case"], facts["status"], facts["code"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    ours = "bratsseg" in facts and all(isinstance(told, str) for told in (case, status, code))
    return (case, status, code, written) if ours else None


def _runs(out: Path, newest: int) -> tuple[tuple[Run, ...], int]:
    """Every run that claims anything in ``out``, and the time of the file system (ns) as well as it can be known."""
    files = ClaimFiles(out / FOLDER)
    claims = [claim for name in files.names() if not name.startswith(".") and (claim := files.read(name)) is not None]
    if not claims:
        return (), newest
    now = max([newest, *(claim.beaten_ns for claim in claims)])
    with suppress(OSError):  # a folder that is only to be read: the last sign of anybody's life is the time then
        now = files.now_ns()
    return tuple(_run(out, claim, claims, now) for claim in claims if claim.what.startswith(PREFIX)), now


def _run(out: Path, claim: ClaimFile, claims: list[ClaimFile], now: int) -> Run:
    owner = claim.owner
    assert owner is not None  # only what was read whole says what it is
    silent = max(0.0, (now - claim.beaten_ns) / 1e9)
    state = "killed" if owner.is_gone() else "silent" if silent > LEASE_SECONDS else "running"
    cases = tuple(sorted(c.what.removeprefix(CASE) for c in claims if c.owner == owner and c.what.startswith(CASE)))
    return Run(owner.host, owner.pid, state, round(silent, 1), cases, **_told_by(out / claim.what / _FILE))


def _told_by(path: Path) -> dict[str, Any]:
    """What a run tells of itself; nothing of what is damaged, and of another version's only what is known here."""
    try:
        facts = json.loads(path.read_bytes())
        return {name: kind(facts[name]) for name, kind in _KINDS.items() if name in facts}
    except (OSError, ValueError, TypeError):
        return {}
