"""The text for sbatch; tests/clients/test_slurm.py gives it to a real SLURM."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from bratsseg.cluster import ClusterJob, batch_script, submit
from bratsseg.errors import ConfigError, UsageError
from tests.flows.conftest import bratsseg

ROOT = Path(__file__).resolve().parents[2]
HOME = Path("/scratch/a user")


def directives(job: ClusterJob, folder: Path = HOME) -> list[str]:
    script = batch_script(job, ["train"], "python", folder)
    return [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]


def test_the_script_asks_for_what_the_job_says():
    job = ClusterJob(
        nodes=2, gpus=8, gpu_type="a100", cpus=12, memory_gb=480, hours=49.5, partition="gpu", account="neuro"
    )
    asked = directives(job)
    for wanted in (
        "--nodes=2",
        "--ntasks-per-node=8",
        "--cpus-per-task=12",
        "--gres=gpu:a100:8",
        "--mem=480G",
        "--time=2-01:30:00",
        "--partition=gpu",
        "--account=neuro",
        "--open-mode=append",
        "--requeue",
        "--signal=B:USR1@120",
        '--chdir="/scratch/a user"',
        '--output="/scratch/a user/logs/%x-%j.out"',
    ):
        assert wanted in asked


def test_what_is_not_asked_for_is_left_to_the_cluster():
    asked = " ".join(directives(ClusterJob(requeue=False)))
    assert "--no-requeue" in asked
    for flag in ("--gres", "--mem", "--partition", "--account", "--qos", "--signal"):
        assert flag not in asked


def test_the_folder_stands_as_it_is_called_or_not_at_all():
    assert '--output="/data/100%% sure/logs/%x-%j.out"' in directives(ClusterJob(), Path("/data/100% sure"))
    for odd in ('/data/"a"', "/data/a\\b", "/data/a\nb"):
        with pytest.raises(ConfigError, match="must be free of quotes"):
            directives(ClusterJob(), Path(odd))


def test_the_shell_reads_the_words_back_and_setup_comes_first():
    words = ["train", "a b.yaml", "name=it's $HOME; rm -rf `x`"]
    job = ClusterJob(setup=("module load cuda",))
    script = batch_script(job, words, "/shared/my env/bin/python", HOME)
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=True).returncode == 0
    line = next(line for line in script.splitlines() if line.startswith("srun"))
    assert shlex.split(line)[-7:] == ["/shared/my env/bin/python", "-m", "bratsseg", *words, "&"]
    assert script.index("module load cuda") < script.index("MASTER_ADDR") < script.index("srun")


def test_without_sbatch_the_user_is_told_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="sbatch must be on PATH"):
        submit("", tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


CLUSTER = ("--cluster", str(ROOT / "configs" / "cluster" / "slurm.yaml"))


def test_a_dry_run_prints_the_script_and_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = bratsseg("submit", "segment", "in", "out", "--report", *CLUSTER, "--job", "hours=2", "--dry-run")
    assert shown.code == 0, shown
    assert "-m bratsseg segment in out --report &" in shown.out
    assert "--time=0-02:00:00" in shown.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("segmnt", "in", "out"), "must be a verb of bratsseg"),
        (("submit", "submit"), "must be a verb of bratsseg"),
        (("segment", "in", "out", "--reprot"), "No such option"),
        (("segment", "in", "out", "--job", "nodes=2"), "runs as one process"),
        (("train", str(ROOT / "configs/training/tiny.yaml"), "--out", "run", "seeed=1"), "seeed"),
    ],
)
def test_what_would_fail_in_the_queue_is_refused_before_it(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = bratsseg("submit", *words, *CLUSTER, "--dry-run")
    assert refused.code == 2
    assert said in refused.err
