"""What a run says when it cannot go on, and that it works where little is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning import pytorch as pl

from bratsseg.config import read_config
from bratsseg.errors import ConfigError, TrainingError, WriteError
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import LAST
from bratsseg.training.run import train
from bratsseg.training.synthetic import SyntheticSamples

TINY = Path(__file__).resolve().parents[2] / "configs" / "training" / "tiny.yaml"

Sample = tuple[torch.Tensor, torch.Tensor, int]


def test_a_loss_that_is_no_number_names_step_and_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get = SyntheticSamples.__getitem__

    def broken(self: SyntheticSamples, position: int) -> Sample:
        picture, truth, position = get(self, position)
        return (picture * torch.nan if position == 3 else picture), truth, position

    monkeypatch.setattr(SyntheticSamples, "__getitem__", broken)
    with pytest.raises(TrainingError, match=r"step 1: the loss must be a number, was nan, on cases .*sample 3"):
        train(read_config(Experiment, TINY), tmp_path)
    kept = torch.load(tmp_path / LAST, weights_only=True)
    assert kept["global_step"] == 1
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


def test_too_little_memory_says_what_to_make_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(self: SyntheticSamples, position: int) -> Sample:
        return torch.empty(2**60), torch.empty(1), position

    monkeypatch.setattr(SyntheticSamples, "__getitem__", greedy)
    with pytest.raises(TrainingError, match=r"too little memory .*trainer.batch_size smaller"):
        train(read_config(Experiment, TINY), tmp_path)


def test_data_of_no_use_is_refused_before_any_training(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    experiment = read_config(Experiment, TINY, ["data.synthetic=null", f"data.folder={tmp_path / 'scans'}"])
    with pytest.raises(Exception, match="must hold cases to train on"):
        train(experiment, tmp_path / "run")
    train(read_config(Experiment, TINY, ["trainer.max_steps=1"]), tmp_path / "run")  # nothing of it stands in the way


@pytest.mark.skipif(torch.cuda.is_available(), reason="trainer.accelerator: here is a GPU")
def test_a_gpu_that_is_not_there_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.accelerator: must be cpu or auto .* was gpu"):
        train(read_config(Experiment, TINY, ["trainer.accelerator=gpu"]), tmp_path)


def test_without_any_source_of_cases_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names none"):
        train(read_config(Experiment, TINY, ["data.synthetic=null"]), tmp_path)


ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"monai", "nibabel", "SimpleITK", "itk", "cc3d", "isal"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from pathlib import Path
from bratsseg.config import read_config
from bratsseg.training.experiment import Experiment
from bratsseg.training.run import train
train(read_config(Experiment, Path(sys.argv[1])), Path(sys.argv[2]))
"""


def test_synthetic_training_needs_nothing_that_reads_scans(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", ALONE, str(TINY), str(tmp_path)], check=True, timeout=120)
    assert torch.load(tmp_path / LAST, weights_only=True)["global_step"] == 2


def test_a_full_disk_leaves_the_last_whole_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(read_config(Experiment, TINY, ["trainer.max_steps=1"]), tmp_path)
    whole = sorted(path.name for path in (tmp_path / LAST).parent.iterdir())

    def full(self: pl.Trainer, path: Path, weights_only: bool) -> None:
        path.write_bytes(b"half of a checkpoint")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", full)
    with pytest.raises(WriteError, match=r"last\.ckpt: could not be written; No space left on device"):
        train(read_config(Experiment, TINY, ["trainer.max_steps=2"]), tmp_path)
    assert torch.load(tmp_path / LAST, weights_only=True)["global_step"] == 1
    assert sorted(path.name for path in (tmp_path / LAST).parent.iterdir()) == whole
