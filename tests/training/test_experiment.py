from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.config import read_config
from bratsseg.errors import ConfigError
from bratsseg.training.experiment import Experiment

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "training"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("windows.slices=4", "odd"),
        ("network.in_channels=7", "must be 12"),
        ("network.out_channels=4", "must be 3"),
        ("network.dims=3", "network.dims must be 2"),
        ("windows.size=[[31,32],[32,32],[32,32]]", "multiples"),
        ("trainer.monitor=dice", "must be one of vol_dice_WT"),
        ("trainer.max_steps=null", "a run has an end"),
        ("name=../up", "name"),
    ],
)
def test_contradictions_fail_at_reading(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(Experiment, CONFIGS / "tiny.yaml", [override])


def test_a_run_is_whole_epochs() -> None:
    trainer = read_config(
        Experiment, CONFIGS / "tiny.yaml", ["trainer.max_steps=7", "trainer.steps_per_epoch=3"]
    ).trainer
    assert (trainer.epoch_steps, trainer.epochs, trainer.total_steps) == (3, 3, 9)


def test_a_run_shorter_than_an_epoch_has_its_own() -> None:
    trainer = read_config(Experiment, CONFIGS / "default.yaml", ["trainer.max_steps=2"]).trainer
    assert (trainer.epoch_steps, trainer.epochs, trainer.total_steps) == (2, 1, 2)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.name)
def test_every_config_is_read_and_says_what_it_is_for(path: Path) -> None:
    read_config(Experiment, path)
    assert path.read_text(encoding="utf-8").startswith("# Purpose: ")
