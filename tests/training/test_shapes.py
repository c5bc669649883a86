"""What a run grown from real shapes says of them, and which file it goes on with."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from bratsseg.config import read_config
from bratsseg.errors import ConfigError
from bratsseg.inference.model import ModelFolder
from bratsseg.training.experiment import Experiment
from bratsseg.training.release import release
from bratsseg.training.run import train
from tests.synthesis.test_shapes import tumour, write

TINY = Path(__file__).resolve().parents[2] / "configs" / "training" / "tiny.yaml"


def experiment(path: Path, *more: str) -> Experiment:
    return read_config(Experiment, TINY, [f"synthesis.tumour.shapes={path}", *more])


def test_a_model_says_whose_shapes_it_learned(tmp_path: Path) -> None:
    path = write(tmp_path / "shapes.npz", [tumour(), tumour(14)])
    train(experiment(path), tmp_path / "run")
    release([tmp_path / "run"], tmp_path / "model", "mine")
    folder = ModelFolder(tmp_path / "model")
    said = f"2 public label maps, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert said in folder.card
    assert said in folder.description.trained["data"]


def test_a_run_goes_on_with_the_same_shapes_wherever_they_lie(tmp_path: Path) -> None:
    path = write(tmp_path / "shapes.npz", [tumour()])
    train(experiment(path), tmp_path / "run")
    moved = shutil.move(path, tmp_path / "moved.npz")
    train(experiment(moved), tmp_path / "run")
    other = write(tmp_path / "other.npz", [tumour(14)])
    with pytest.raises(ConfigError, match="must hold what it was started with, 1 public label maps"):
        train(experiment(other), tmp_path / "run")


def test_a_missing_file_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be a readable file"):
        train(experiment(tmp_path / "absent.npz"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
