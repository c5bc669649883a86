"""A result is replaced whole or not at all, whatever breaks."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bratsseg.results import commit, swap
from bratsseg.results.commit import publish, publish_more
from bratsseg.results.record import CaseRecord, hash_or_none, read_record, record_path
from bratsseg.results.staging import Staging
from tests.flows.conftest import FORKS, hashes, segment
from tests.results.conftest import COMMANDS, NAME, ready, whole

CHANGES = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.chmod")
CLEARING = ("os.remove", "os.rmdir")


def full_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def changes(event: str, arguments: tuple[object, ...], out: Path) -> bool:
    """True for a step that writes below OUT."""
    if event == "open":
        path, flags = arguments[0], arguments[2]
        writes = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        return writes and isinstance(path, str | bytes | os.PathLike) and str(out) in os.fsdecode(path)
    return event in CHANGES and any(isinstance(part, str | os.PathLike) and str(out) in str(part) for part in arguments)


class Breaker:
    """Lets a fault happen at the ``step``-th change to OUT and at every later one: a full disk stays full."""

    def __init__(self, step: int, fault: Callable[[], None], out: Path) -> None:
        self.step, self.fault, self.out, self.seen = step, fault, out, 0
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if changes(event, arguments, self.out):
            self.seen += 1
            if self.seen >= self.step and not (event in CLEARING and self.fault is full_disk):
                self.fault()


def broken_at(step: int, fault: Callable[[], None], out: Path, work: Callable[[], object]) -> bool:
    """Do ``work`` in another process and break it at the ``step``-th change; False when it ended before that."""
    child = os.fork()
    if not child:
        breaker = Breaker(step, fault, out)
        try:
            work()
        finally:
            os._exit(0 if breaker.seen < step else 1)
    return os.waitpid(child, 0)[1] != 0


@pytest.mark.parametrize("at_once", [True, False], ids=["exchange", "rename"])
@pytest.mark.parametrize("fault", [full_disk, kill])
@pytest.mark.parametrize("way", [publish, publish_more])
def test_every_fault_leaves_the_old_result_or_the_new(
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[..., None],
    fault: Callable[[], None],
    at_once: bool,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power fails here, and a busy disk takes its time
    if not at_once:  # where two folders cannot change places in one step
        monkeypatch.setattr(swap, "_renameat2", lambda: None)
    said = read_record(record_path(results / "over", NAME))
    assert said is not None
    files = {name: (results / "over" / NAME / name).read_bytes() for name in said.outputs}
    wanted = {whole(results / "out"), whole(results / "over")}
    step, ends = 0, set()
    while True:
        step += 1
        out = ready(results, tmp_path / str(step))

        def work(out: Path = out, said: CaseRecord = said) -> None:
            with Staging(out) as staging:
                way(said, files, staging)

        broke = broken_at(step, fault, out, work)
        with Staging(out):  # what the next run does first
            pass
        ends.add(whole(out))
        assert (out / NAME / "notes.txt").read_text() == "mine"
        assert (out / NAME / "more" / "drawing.nii.gz").read_text() == "mine"
        if not broke:
            break
        assert not list(out.glob(".*"))
        shutil.rmtree(out)
    assert ends == wanted
    assert step > 8


@pytest.mark.parametrize("fault", [full_disk, kill])
@pytest.mark.parametrize("what", COMMANDS)
def test_a_command_that_breaks_loses_no_result_and_no_row(
    results: Path, tmp_path: Path, fault: Callable[[], None], what: str
) -> None:
    wanted = {whole(results / "out"), whole(results / what)}
    for step in (1, 9, 30, 50):
        out = ready(results, tmp_path / str(step))
        process = FORKS.Process(target=_broken_command, args=(step, fault, results / "in", out, COMMANDS[what]))
        process.start()
        process.join(300)
        assert process.exitcode != 0 or fault is full_disk
        assert whole(out) in wanted
        assert (out / NAME / "notes.txt").read_text() == "mine"
        with (out / "cases.csv").open(newline="") as stream:
            assert [(row["case"], row["status"]) for row in csv.DictReader(stream)] == [(NAME, "done")]
    assert segment(results / "in", out, *COMMANDS[what]).code == 0
    assert hashes(out) == hashes(results / what) | {f"{NAME}/more/drawing.nii.gz": hash_or_none(_drawing(out))}
    assert not list(out.glob(".*"))


def _drawing(out: Path) -> Path:
    return out / NAME / "more" / "drawing.nii.gz"


def _broken_command(step: int, fault: Callable[[], None], studies: Path, out: Path, words: tuple[str, ...]) -> None:
    os.fsync = lambda _: None
    Breaker(step, fault, out)
    sys.exit(segment(studies, out, *words).code)


def test_a_disk_that_is_full_is_told_and_the_exit_says_so(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    (out / NAME).chmod(0o755)
    process = FORKS.Process(target=_broken_command, args=(30, full_disk, results / "in", out, COMMANDS["over"]))
    process.start()
    process.join(300)
    assert process.exitcode == 1


def test_a_file_that_comes_while_a_result_is_replaced_stays(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ready(results, tmp_path / "out")
    said = read_record(record_path(results / "over", NAME))
    assert said is not None
    link = commit.link_entry

    def linking(source: Path, target: Path, *, moved: bool = False) -> None:
        (out / NAME / "late.txt").write_text("mine")
        link(source, target, moved=moved)

    monkeypatch.setattr(commit, "link_entry", linking)
    with Staging(out) as staging:
        publish(said, {name: (results / "over" / NAME / name).read_bytes() for name in said.outputs}, staging)
    assert (out / NAME / "late.txt").read_text() == "mine"
