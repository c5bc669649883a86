"""Killed, interrupted, or two at once: results are whole or absent, and nothing finished is computed again."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.results.record import hash_or_none
from tests.flows.conftest import child, hashes, record, segment, strays, write_cases, written_at

PATIENCE_SECONDS = 300.0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Twelve studies, and the results of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("twelve")
    write_cases(folder / "in", 12)
    assert segment(folder / "in", folder / "out").code == 0
    return folder / "in", hashes(folder / "out")


def _wait_until_finished(process: multiprocessing.process.BaseProcess, out: Path, count: int) -> None:
    """Until OUT holds ``count`` records, or the process has ended."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while len(written_at(out)) < count and process.is_alive():
        assert time.monotonic() < give_up
        process.join(0.002)


def _assert_nothing_half_written(out: Path) -> None:
    """Every file that shows is whole, and every record speaks of files that are there."""
    for path in out.glob("*/*.nii.gz"):
        assert np.asarray(nib.load(path).dataobj).max() > 0
    for case in written_at(out):
        said = record(out, case)
        assert said["status"] == "done"
        assert {name: hash_or_none(out / case / name) for name in said["outputs"]} == said["outputs"]


def test_killed_ten_times_and_started_again(undisturbed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    studies, wanted = undisturbed
    out, rng, in_the_midst = tmp_path / "out", random.Random(11), 0
    out.mkdir()
    finished: dict[str, int] = {}
    for _ in range(10):
        process = child(studies, out)
        _wait_until_finished(process, out, len(finished) + rng.choice((0, 1, 1)))
        process.join(rng.uniform(0, 0.03))
        in_the_midst += process.is_alive()
        process.kill()
        process.join()
        _assert_nothing_half_written(out)
        now = written_at(out)
        assert {case: now.get(case) for case in finished} == finished, "a finished case was computed again"
        finished = now
    assert in_the_midst >= 5, "the kills came too late to tell anything"
    assert segment(studies, out).code == 0
    assert {case: written_at(out)[case] for case in finished} == finished
    assert hashes(out) == wanted
    assert strays(out) == []
    assert (out / "cases.csv").read_text().count(",done,") == 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_ends_cleanly_and_goes_on(
    undisturbed: tuple[Path, dict[str, str]], tmp_path: Path, number: signal.Signals
) -> None:
    studies, wanted = undisturbed
    for attempt in range(8):  # on a busy machine a run may end before this process is let in to stop it
        out = tmp_path / f"out{attempt}"
        out.mkdir()
        process = child(studies, out)
        _wait_until_finished(process, out, 1)
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(PATIENCE_SECONDS)
        if process.exitcode != 0:
            break
    assert process.exitcode == 130
    assert strays(out) == []
    _assert_nothing_half_written(out)
    before = written_at(out)
    assert 1 <= len(before) < 12
    assert (out / "cases.csv").read_text().count(",done,") == len(before)
    assert segment(studies, out).code == 0
    assert {case: written_at(out)[case] for case in before} == before
    assert hashes(out) == wanted


def test_two_runs_into_one_folder_tear_nothing(undisturbed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    studies, wanted = undisturbed
    out = tmp_path / "out"
    both = [child(studies, out), child(studies, out, "--overwrite")]
    for process in both:
        process.join(PATIENCE_SECONDS)
    assert [process.exitcode for process in both] == [0, 0]
    assert hashes(out) == wanted
    assert strays(out) == []
    _assert_nothing_half_written(out)
    assert (out / "cases.csv").read_text().count(",done,") == 12
