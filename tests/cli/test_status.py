"""What ``bratsseg status`` tells of a folder of results, or of training runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bratsseg.claims import FOLDER, LEASE_SECONDS, ClaimFiles, ClaimOwner, Claims
from bratsseg.config import read_config, write_config
from bratsseg.results.progress import RunProgress
from bratsseg.results.staging import Staging, claim_of
from bratsseg.training.experiment import Experiment
from tests.flows.conftest import bratsseg, segment, write_cases

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "training"


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bratsseg("status", folder, "--json").out)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Three good studies and a bad one, segmented."""
    write_cases(tmp_path / "in", 3)
    (tmp_path / "in" / "bad").mkdir()
    (tmp_path / "in" / "bad" / "bad-t2f.nii.gz").write_bytes(b"no scan")
    segment(tmp_path / "in", tmp_path / "out")
    return tmp_path / "out"


def test_done_and_refused_by_reason_when_nobody_works(out: Path) -> None:
    before = sorted(out.rglob("*"))
    found = told(out)
    assert (found["done"], found["refused"], found["failed"]) == (3, {"unreadable": 1}, {})
    assert (found["running"], found["left"], found["seconds_left"]) == (False, None, None)
    ended = bratsseg("status", out)
    assert ended.code == 0
    assert "unreadable" in ended.out
    assert "nobody works on it now" in ended.out
    assert sorted(out.rglob("*")) == before


def test_who_runs_where_with_what_in_hand_and_how_long_still(out: Path) -> None:
    with Staging(out) as staging:
        files = staging.claims.files
        files.now_ns()
        progress = RunProgress(staging, 10, files.now_ns() - 60 * 10**9, "cuda:1")
        for _ in range(4):
            progress._written = 0
            progress.settled()
        staging.claims.take(claim_of("BraTS-GLI-00007-000"))
        found = told(out)
        assert found["running"]
        (run,) = found["runs"]
        assert (run["pid"], run["state"], run["device"]) == (os.getpid(), "running", "cuda:1")
        assert run["cases"] == ["BraTS-GLI-00007-000"]
        assert found["left"] == 6
        assert found["cases_a_minute"] == pytest.approx(4, rel=0.2)
        assert found["seconds_left"] == pytest.approx(90, rel=0.2)
    assert not told(out)["running"]


def test_a_run_that_nobody_heard_of_is_silent(out: Path) -> None:
    elsewhere = Claims(ClaimFiles(out / FOLDER, ClaimOwner("other-machine", 7)))
    elsewhere.take(".bratsseg-run-7-ab")
    for path in (out / FOLDER).iterdir():
        os.utime(path, (0, path.stat().st_mtime - LEASE_SECONDS - 5))
    (run,) = told(out)["runs"]
    assert (run["host"], run["state"]) == ("other-machine", "silent")
    assert "silent, last heard of 0:01:35 ago" in bratsseg("status", out).out


@pytest.mark.parametrize(
    ("written", "total"),
    [('{"total": 10, "settled": 4, "device": "cpu", "of_a_later_version": 1}', 10), ("[1]", 0), ('{"total": {}}', 0)],
)
def test_damaged_or_later_accounts_of_a_run_stop_nobody(out: Path, written: str, total: int) -> None:
    with Staging(out) as staging:
        RunProgress(staging, 10, 0, "cpu")
        (staging.private / "progress.json").write_text(written, encoding="utf-8")
        (run,) = told(out)["runs"]
    assert (run["state"], run["total"]) == ("running", total)


def test_what_only_looks_like_a_record_is_not_counted(out: Path) -> None:
    (out / "odd").mkdir()
    (out / "odd" / "odd.json").write_text(
        '{"bratsseg": "1", "case": "odd", "status": "done", "code": {}}', encoding="utf-8"
    )
    ended = bratsseg("status", out)
    assert ended.code == 0, ended.err
    assert told(out)["done"] == 3


def test_watching_ends_when_nobody_works_any_more(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = Staging(out)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            staging.__exit__(None, None, None)

    monkeypatch.setattr("bratsseg.cli.status.time.sleep", wait)
    staging.__enter__()
    ended = bratsseg("status", out, "--watch", "--every", 3)
    assert waits == [3.0, 3.0]
    assert ended.out.count("done") == 3


def test_a_training_run_tells_its_epochs_and_time(tmp_path: Path) -> None:
    experiment = read_config(
        Experiment, CONFIGS / "unet3d_brats.yaml", ["trainer.max_epochs=10", "trainer.max_minutes=null"]
    )
    for fold in ("fold0", "fold1"):
        (tmp_path / fold).mkdir()
        write_config(experiment, tmp_path / fold / "experiment.yaml")
    lines = ["epoch,step,seconds,learning_rate,loss,vol_dice_mean"]
    lines += [f"{epoch},{epoch},30.0,0.1,{1 / (epoch + 1):.4f},{epoch / 10}" for epoch in range(4)]
    (tmp_path / "fold0" / "log.csv").write_text("\n".join(lines) + "\n")
    first, second = told(tmp_path)["runs"]
    assert (first["epochs"], first["of"], first["best"], first["seconds_left"]) == (4, 10, 0.3, 180.0)
    assert (second["epochs"], second["seconds_left"], second["ended"]) == (0, None, False)
    assert (
        "fold0: 4 of 10 epochs, loss 0.2500, best vol_dice_mean 0.3000, 0:03:00 left"
        in bratsseg("status", tmp_path).out
    )


def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    assert bratsseg("status", tmp_path / "none").code == 2
