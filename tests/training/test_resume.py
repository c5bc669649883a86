"""A run that is killed outright, and one spread over two processes, as users start them."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch

from bratsseg.config import read_config
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import LAST, LOG
from bratsseg.training.run import train

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "configs" / "training" / "tiny.yaml"


def command(run: Path, *overrides: str, torchrun: int = 0) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={torchrun}"] if torchrun else []
    return [sys.executable, *launcher, "-m", "bratsseg", "train", str(TINY), "--out", str(run), *overrides]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def weights(run: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(run / LAST, weights_only=True)["state_dict"]
    return loaded


def losses(run: Path) -> list[float]:
    with (run / LOG).open(newline="") as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream)]


def in_process(run: Path, *overrides: str) -> None:
    train(read_config(Experiment, TINY, overrides), run)


def test_what_a_kill_in_mid_epoch_lost_is_redone_bit_for_bit(tmp_path: Path) -> None:
    plan = (
        "trainer.steps_per_epoch=60", "trainer.max_steps=120", "trainer.validate_every=2", "trainer.threads=1",
        "data.synthetic.windows_per_volume=200", "network.dropout=0.2",
    )  # fmt: skip
    killed, through = tmp_path / "killed", tmp_path / "through"
    process = subprocess.Popen(command(killed, *plan), env=environment(), cwd=tmp_path)
    in_process(through, *plan)
    while not (killed / LAST).exists():
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert torch.load(killed / LAST, weights_only=True)["global_step"] == 60
    in_process(killed, *plan)
    resumed, whole = weights(killed), weights(through)
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)
    assert losses(killed) == losses(through)


def test_two_processes_learn_as_one_with_twice_the_batch(tmp_path: Path) -> None:
    plan = (
        "trainer.steps_per_epoch=1", "trainer.max_steps=20", "trainer.validate_every=20", "network.norm=instance",
        "loss.batch_dice=false", "trainer.threads=1", "data.synthetic.windows_per_volume=80",
    )  # fmt: skip
    two = subprocess.Popen(
        command(tmp_path / "two", *plan, "trainer.batch_size=2", torchrun=2),
        env=environment(), cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    in_process(tmp_path / "one", *plan, "trainer.batch_size=4")
    _, said = two.communicate(timeout=200)
    assert two.returncode == 0, said[-2000:]
    apart = [abs(a - b) for a, b in zip(losses(tmp_path / "two"), losses(tmp_path / "one"), strict=True)]
    assert len(apart) == 20
    assert max(apart) < 1e-4
