"""A real SLURM of two nodes takes our script, starts both, and takes a job up again that had to leave."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bratsseg.cluster import ClusterJob, batch_script, submit
from bratsseg.cluster.slurm import log_file
from tests.clients import slurm
from tests.clients.slurm import Slurm
from tests.flows.conftest import bratsseg

pytestmark = pytest.mark.client
TINY = Path(__file__).resolve().parents[2] / "configs" / "training" / "tiny.yaml"
WORDS = ("train", "a b.yaml", "name=it's $HOME %j")
SAYS = """#!/bin/sh
printf '%s of %s, start %s, leader %s:' "$SLURM_PROCID" "$SLURM_NTASKS" "${SLURM_RESTART_COUNT:-0}" "$MASTER_ADDR"
printf ' [%s]' "$@"
echo
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then touch "started $SLURM_PROCID"; exec sleep 300; fi
"""


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if lacking := slurm.missing():
        pytest.skip(f"SLURM is not installed: {', '.join(lacking)} (apt install slurm-wlm munge)")
    with slurm.running(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def at_home(two_nodes: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space in its name, from which jobs are submitted."""
    folder = tmp_path / "my runs 100%"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SLURM_CONF", two_nodes.environment["SLURM_CONF"])
    return folder


def ended(state: dict[str, str]) -> bool:
    return state["JobState"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


def test_both_nodes_get_the_words_and_a_job_out_of_time_requeues(two_nodes, at_home):
    python = at_home / "any python"
    python.write_text(SAYS)
    python.chmod(0o755)
    job = ClusterJob(nodes=2, cpus=1, hours=1)
    number = submit(batch_script(job, WORDS, str(python), at_home), at_home / "logs")
    two_nodes.wait(number, lambda _: all((at_home / f"started {rank}").exists() for rank in (0, 1)), 30)
    # What SLURM itself sends before the time limit.
    two_nodes.call("scancel", "--batch", "--signal=USR1", number)
    state = two_nodes.wait(number, ended, 60)
    log = log_file(job, at_home, number).read_text()
    assert (state["JobState"], state["Restarts"]) == ("COMPLETED", "1"), log
    said = [line.rpartition(", leader ") for line in log.splitlines() if ", leader " in line]
    assert sorted(start for start, _, _ in said) == [
        f"{rank} of 2, start {start}" for rank in (0, 1) for start in (0, 1)
    ]
    assert all(text.endswith(": [-m] [bratsseg] [train] [a b.yaml] [name=it's $HOME %j]") for _, _, text in said), log
    assert len({text for _, _, text in said}) == 1, "both processes and both starts name one leader"


def epochs_of(run: Path) -> list[dict[str, str]]:
    """The lines of the run's log; none while there is no log."""
    log = run / "log.csv"
    if not log.exists():
        return []
    with log.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_training_on_two_nodes_is_killed_requeued_and_finishes(two_nodes, at_home, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cluster = at_home / "two nodes.yaml"
    cluster.write_text("nodes: 2\ncpus: 1\nhours: 1\nname: tiny\n")
    run, epochs = at_home / "runs" / "a", 12
    words = ("train", TINY, "--out", run, f"trainer.max_steps={epochs}", "--cluster", cluster)
    submitted = bratsseg("submit", *words)
    assert submitted.code == 0, submitted
    number = submitted.out.split()[1]
    log = at_home / "logs" / f"tiny-{number}.out"
    two_nodes.wait(number, lambda state: len(epochs_of(run)) >= 2 or ended(state), 240)
    two_nodes.call("scontrol", "requeue", number)  # as when a machine is wanted for others: killed without a notice
    before = epochs_of(run)
    state = two_nodes.wait(number, ended, 240)
    assert (state["JobState"], state["Restarts"]) == ("COMPLETED", "1"), log.read_text()
    after = epochs_of(run)
    assert 0 < len(before) < epochs, "the kill came in the middle"
    assert [int(row["step"]) for row in after] == list(range(1, epochs + 1))
    kept = len(before) - 1  # the last one may have had its line and not yet its checkpoint, and is done again
    assert after[:kept] == before[:kept], "it went on, and did not start again"
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == epochs
    assert f"epoch {epochs}/{epochs}" in log.read_text()
