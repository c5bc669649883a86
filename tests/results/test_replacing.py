"""A result is replaced as a whole or not at all, whatever breaks, and what a person did to it is never lost."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.results import swap
from bratsseg.results.commit import publish, publish_more
from bratsseg.results.record import CaseRecord, hash_or_none, read_record, record_path
from bratsseg.results.staging import Staging
from tests.flows.conftest import FORKS, case_names, hashes, record, segment, write_case, write_cases

NAME = case_names(1)[0]
CHANGES = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.chmod")
CLEARING = ("os.remove", "os.rmdir")
COMMANDS = {
    "over": ("--overwrite", "--dialect", "msd"),
    "report": ("--report",),
    "formats": ("--formats", "slicer,itksnap"),
    "probabilities": ("--probabilities",),
}


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


def whole(out: Path) -> str | None:
    """The hash of the label map of a result that is whole, or None for no result."""
    said = read_record(record_path(out, NAME))
    if said is None:
        return None
    assert said.status == "done", said.reason
    assert {name: hash_or_none(out / NAME / name) for name in said.outputs} == said.outputs
    return said.outputs[said.label_file]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in ``in``, its result in ``out``, and what each command makes of it in a folder called as the command."""
    place = tmp_path_factory.mktemp("results")
    write_cases(place / "in", 1)
    assert segment(place / "in", place / "out").code == 0
    for name, words in COMMANDS.items():
        shutil.copytree(place / "out", place / name)
        assert segment(place / "in", place / name, *words).code == 0
    return place


def ready(results: Path, out: Path) -> Path:
    shutil.copytree(results / "out", out)
    (out / NAME / "notes.txt").write_text("mine")
    (out / NAME / "more").mkdir()
    (out / NAME / "more" / "drawing.nii.gz").write_text("mine")
    return out


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
    for step in (1, 4, 9, 16):
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
    process = FORKS.Process(target=_broken_command, args=(3, full_disk, results / "in", out, COMMANDS["over"]))
    process.start()
    process.join(300)
    assert process.exitcode == 1


def draw(out: Path, case: str = NAME, value: int = 2) -> bytes:
    """Let a person change the label map of a case as ITK-SNAP does; returns the file."""
    path = out / case / f"{case}_seg.nii.gz"
    image = nib.load(path)
    values = np.asarray(image.dataobj).copy()
    values[2:8, 2:8, 2:8] = value
    nib.Nifti1Image(values, image.affine).to_filename(path)
    return path.read_bytes()


def test_what_a_person_drew_is_kept_told_and_measured(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    before = record(out, NAME)
    drawn = draw(out)
    ended = segment(results / "in", out, "--report")
    assert ended.code == 0
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn
    assert "changed by hand" in ended.err + ended.out
    said = record(out, NAME)
    assert said["edited"] == {f"{NAME}_seg.nii.gz": hash_or_none(out / NAME / f"{NAME}_seg.nii.gz")}
    assert said["outputs"] == before["outputs"], "what was computed is no longer known"
    assert said["volumes_ml"]["WT"] != before["volumes_ml"]["WT"]
    assert f"{said['volumes_ml']['WT']:.1f} mL" in (out / NAME / f"{NAME}_report.html").read_text()
    with (out / "cases.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["edited"], row["WT_ml"]) == (f"{NAME}_seg.nii.gz", f"{said['volumes_ml']['WT']:.2f}")
    before = record_path(out, NAME).stat().st_mtime_ns
    assert segment(results / "in", out).code == 0
    assert record_path(out, NAME).stat().st_mtime_ns == before, "what was told once is not written again"


def test_only_overwrite_replaces_a_drawing_after_moving_it_aside(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    drawn = [draw(out)]
    segment(results / "in", out, "--dialect", "msd")
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn[0], "another option is no reason to lose it"
    assert segment(results / "in", out, "--overwrite").code == 0
    drawn.append(draw(out, value=1))
    assert segment(results / "in", out, "--overwrite").code == 0
    day = date.today().isoformat()
    kept = [out / NAME / folder / f"{NAME}_seg.nii.gz" for folder in (f"edited-{day}", f"edited-{day}-2")]
    assert [path.read_bytes() for path in kept] == drawn
    assert whole(out) == whole(results / "out")
    assert record(out, NAME)["edited"] == {}


def test_new_scans_are_no_reason_to_lose_a_drawing(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_cases(studies, 1)
    segment(studies, out)
    drawn = draw(out)
    write_case(studies, NAME, seed=7)
    segment(studies, out)
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn
    (studies / NAME / f"{NAME}-t2f.nii.gz").write_bytes(b"torn")
    segment(studies, out, "--overwrite")
    aside = out / NAME / f"edited-{date.today().isoformat()}" / f"{NAME}_seg.nii.gz"
    assert aside.read_bytes() == drawn
    assert record(out, NAME)["status"] == "refused"


def test_a_file_that_no_program_saved_is_made_again(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    path = out / NAME / f"{NAME}_seg.nii.gz"
    torn = path.read_bytes()[:200]
    path.write_bytes(torn)
    assert segment(results / "in", out).code == 0
    assert whole(out) == whole(results / "out")
    assert [aside.read_bytes() for aside in (out / NAME).glob("edited-*/*")] == [torn], "nothing is thrown away"


def test_a_drawing_that_was_taken_back_is_forgotten(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    path = out / NAME / f"{NAME}_seg.nii.gz"
    made = path.read_bytes()
    draw(out)
    segment(results / "in", out)
    path.write_bytes(made)
    segment(results / "in", out)
    assert record(out, NAME)["edited"] == {}
    assert record(out, NAME)["volumes_ml"] == record(results / "out", NAME)["volumes_ml"]
