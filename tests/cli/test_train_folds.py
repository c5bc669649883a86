from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from bratsseg.cli.main import app
from bratsseg.config import read_config
from bratsseg.errors import ConfigError, ModelError
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import LAST
from bratsseg.training.run import train

LGG = Path(__file__).resolve().parents[2] / "configs" / "training" / "unet2d_lgg.yaml"
SMALL = (
    "network.widths=[4,8]", "preparation.plane_size=[32,32]", "windows.size=[32,32]", "trainer.max_steps=2",
    "trainer.steps_per_epoch=2", "trainer.batch_size=2", "trainer.precision=32-true", "trainer.accelerator=cpu",
    "data.workers=0",
)  # fmt: skip


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three patients of three slices in the layout of the LGG set; one was scanned twice."""
    folder, rng = tmp_path / "kaggle_3m", np.random.default_rng(0)
    for case in ("CS_0001_19970101", "CS_0001_19980101", "DU_0002_19970101", "HT_0003_19970101"):
        place = folder / f"TCGA_{case}"
        place.mkdir(parents=True)
        for n in (1, 2, 3):
            mask = np.zeros((40, 40), np.uint8)
            mask[10:30, 12 : 12 + 5 * n] = 255 * (n > 1)
            scan = rng.integers(40, 80, (40, 40, 3), np.uint8) + mask[..., None] // 4
            Image.fromarray(scan).save(place / f"{place.name}_{n}.tif")
            Image.fromarray(mask).save(place / f"{place.name}_{n}_mask.tif")
    return folder


def test_every_case_is_scored_by_a_fold_new_to_its_patient(pictures: Path, tmp_path: Path) -> None:
    words = [
        "train-folds",
        str(LGG),
        f"data.folder={pictures}",
        *SMALL,
        "--out",
        str(tmp_path / "cv"),
        "--device",
        "cpu",
    ]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert "vol_dice WT" in first.stdout
    with (tmp_path / "cv" / "scores.csv").open(newline="") as stream:
        scored = {row["case"] for row in csv.DictReader(stream) if row["status"] == "scored"}
    assert scored == {path.name for path in pictures.iterdir()}
    splits = [json.loads(path.read_text()) for path in sorted((tmp_path / "cv").glob("fold*/split.json"))]
    assert len(splits) == 3  # three patients make three folds, not five
    for split in splits:
        assert not {case[:12] for case in split["train"]} & {case[:12] for case in split["validation"]}
    summary = json.loads((tmp_path / "cv" / "summary.json").read_text())
    assert summary["vol_dice_over_patients"]["WT"]["patients"] == 3

    before = (tmp_path / "cv" / "scores.csv").read_bytes()
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (tmp_path / "cv" / "scores.csv").read_bytes() == before

    runs = [str(tmp_path / "cv" / f"fold{n}") for n in range(3)]
    made = CliRunner().invoke(app, ["release", *runs, "--name", "mine", "--out", str(tmp_path / "mine")])
    assert made.exit_code == 0, made.output
    assert len(list((tmp_path / "mine").glob("fold*.safetensors"))) == 3


def test_a_run_resumes_with_moved_data_and_refuses_other_cases(pictures: Path, tmp_path: Path) -> None:
    def experiment(folder: Path, *more: str) -> Experiment:
        return read_config(Experiment, LGG, [*SMALL, f"data.folder={folder}", *more])

    train(experiment(pictures), tmp_path / "run")
    moved = pictures.rename(tmp_path / "moved")
    train(experiment(moved, "trainer.max_steps=4", "data.split.folds=5"), tmp_path / "run")
    assert torch.load(tmp_path / "run" / LAST, weights_only=True)["global_step"] == 4
    (moved / "TCGA_HT_0003_19970101").rename(tmp_path / "TCGA_HT_0003_19970101")
    with pytest.raises(ConfigError, match="TCGA_HT_0003_19970101 is gone"):
        train(experiment(moved, "trainer.max_steps=6"), tmp_path / "run")


def test_fine_tuning_starts_from_the_released_weights(pictures: Path, tmp_path: Path) -> None:
    plan = [*SMALL, f"data.folder={pictures}"]
    train(read_config(Experiment, LGG, plan), tmp_path / "run")
    runner = CliRunner()
    made = runner.invoke(app, ["release", str(tmp_path / "run"), "--name", "base", "--out", str(tmp_path / "base")])
    assert made.exit_code == 0, made.output
    start = f"trainer.init_from={tmp_path / 'base'}"
    train(read_config(Experiment, LGG, [*plan, start]), tmp_path / "tuned")
    with pytest.raises(ModelError, match=r"data.modalities must be the model's, t1n, flair, t1c"):
        train(read_config(Experiment, LGG, [*plan, start, "data.modalities=[flair,t1n,t1c]"]), tmp_path / "other")
