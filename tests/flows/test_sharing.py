"""Several runs on one OUT, which know nothing of each other but what lies there."""

from __future__ import annotations

import csv
import os
import random
import shutil
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bratsseg.claims import FOLDER, ClaimFiles, Claims
from bratsseg.inference import Segmenter
from bratsseg.inference.shipped import SHIPPED
from bratsseg.results.record import hash_or_none
from bratsseg.results.staging import claim_of
from tests.flows.conftest import (
    bratsseg,
    case_names,
    child,
    hashes,
    record,
    segment,
    strays,
    write_cases,
    written_at,
)

PATIENCE_SECONDS = 600.0
STUDIES, BAD = 60, 3


def log_work(log: Path) -> None:
    """Note in ``log`` each label map that this process makes, as it makes it."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]).endswith("_seg.nii.gz"):
            os.write(handle, f"{Path(str(arguments[1])).name}\n".encode())

    sys.addaudithook(hook)


def made(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def test_three_runs_one_killed_make_each_result_once(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_cases(studies, STUDIES)
    for number in range(BAD):
        (studies / f"bad{number}").mkdir()
        (studies / f"bad{number}" / f"bad{number}-t2f.nii.gz").write_bytes(b"no scan")
    out.mkdir()
    logs = [tmp_path / f"log{number}" for number in range(3)]
    runs = [child(studies, out, before=partial(log_work, log)) for log in logs]
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not (len(written_at(out)) >= STUDIES // 3 and made(logs[0])):
        assert time.monotonic() < give_up
        runs[1].join(0.01)
    runs[0].join(random.Random(3).uniform(0, 0.05))
    runs[0].kill()
    for run in runs:
        run.join(PATIENCE_SECONDS)
    assert [run.exitcode for run in runs] == [-9, 1, 1]  # the bad ones are refused
    assert all(made(log) for log in logs), "one had nothing to do, so that nothing was shared"
    times = Counter(made(logs[1]) + made(logs[2]))
    assert max(times.values()) == 1, "a case was computed by two runs that lived"
    twice = set(times) & set(made(logs[0]))
    assert len(twice) <= 1, "only what the killed run was about to publish is made again"
    for case in case_names(STUDIES):
        said = record(out, case)
        assert said["status"] == "done"
        assert {name: hash_or_none(out / case / name) for name in said["outputs"]} == said["outputs"]
    with (out / "cases.csv").open(newline="") as stream:
        rows = Counter(row["status"] for row in csv.DictReader(stream))
    assert rows == {"done": STUDIES, "refused": BAD}
    assert strays(out) == []
    assert segment(studies, tmp_path / "alone", "--limit", 5, "--only", "BraTS*").code == 0
    alone = hashes(tmp_path / "alone")
    assert {name: hashes(out)[name] for name in alone} == alone


def test_both_runs_tell_of_every_case_and_write_the_index_of_all(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    both = [child(studies, out, "--report"), child(studies, out, "--report")]
    for run in both:
        run.join(PATIENCE_SECONDS)
    assert [run.exitcode for run in both] == [0, 0]
    page = (out / "index.html").read_text()
    assert all(case in page for case in case_names(2))


def test_a_case_of_a_run_elsewhere_is_waited_for(
    studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run is another machine's: it is not seen, but for its claim."""
    out, (first, second) = tmp_path / "out", case_names(2)
    out.mkdir()
    elsewhere = Claims(ClaimFiles(out / FOLDER))
    assert elsewhere.take(claim_of(first))
    asked: list[float] = []

    def wait(seconds: float) -> None:
        assert (out / second).is_dir()
        assert not (out / first).exists(), "another run works on it"
        asked.append(seconds)
        if len(asked) == 3:
            elsewhere.release(claim_of(first))

    monkeypatch.setattr("bratsseg.batch.sharing.time.sleep", wait)
    ended = segment(studies, out)
    assert ended.code == 0, ended.err
    assert len(asked) == 3
    assert record(out, first)["status"] == "done"


def test_what_another_run_computed_meanwhile_is_not_overwritten(studies: Path, tmp_path: Path) -> None:
    out, logs = tmp_path / "out", [tmp_path / "log0", tmp_path / "log1"]
    assert segment(studies, out).code == 0
    both = [child(studies, out, "--overwrite", before=partial(log_work, log)) for log in logs]
    for run in both:
        run.join(PATIENCE_SECONDS)
    assert [run.exitcode for run in both] == [0, 0]
    assert len({*made(logs[0]), *made(logs[1])}) == 2
    assert strays(out) == []


def test_two_devices_of_one_machine_share_the_cases(studies: Path, tmp_path: Path) -> None:
    out, wanted = tmp_path / "out", tmp_path / "alone"
    write_cases(studies, 12)
    ended = bratsseg("segment", "--model", "flair-threshold", "--device", "cpu,cpu", studies, out)
    assert ended.code == 0, ended.err
    assert "12 cases" in ended.out
    assert segment(studies, wanted).code == 0
    assert hashes(out) == hashes(wanted)
    assert strays(out) == []


def test_a_device_whose_process_breaks_is_told_and_made_up_for(
    studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    shutil.copytree(SHIPPED / "flair-threshold", model)
    load = Segmenter.load

    def loading(*words: Any) -> Segmenter:
        loaded = load(*words)
        assert loaded.folder.sha256
        shutil.rmtree(model)  # before the second process reads it
        return loaded

    monkeypatch.setattr(Segmenter, "load", loading)
    ended = bratsseg("segment", "--model", model, "--device", "cpu,cpu", studies, tmp_path / "out")
    assert ended.code == 0
    assert "cpu: its process ended with 1; the others took over its cases" in ended.err
    assert record(tmp_path / "out", case_names(2)[1])["status"] == "done"
