from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from bratsseg.config import read_config, write_config
from bratsseg.errors import ConfigError
from bratsseg.network import UNetConfig, build_network
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


SCANS = ("data.synthetic=null", "data.folder=scans")
PICTURES = (
    "preparation.subject=picture",
    "preparation.spacing_mm=null",
    "preparation.plane_size=[128,128]",
    "synthesis.head={}",
)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (("data.cache=c",), "data.cache"),
        (("data.split.test_share=0.1",), "data.split.test_share"),
        (("data.split.patients=who.csv",), "data.split.patients"),
        (("fold=1",), "fold"),
        (("data.synthetic.single=0.2",), "data.synthetic.single"),
        (("synthesis.pictures.loss=[0.1,0.2]",), "synthesis.pictures.loss"),
        ((*PICTURES, "preparation.margin=5"), "preparation.margin"),
        ((*SCANS, "synthesis.head={}"), "synthesis.head"),
        ((*SCANS, "synthesis.tumour.second_focus=0.3"), "synthesis.tumour.second_focus"),
        ((*SCANS, "data.split.file=s.json", "fold=2"), "fold"),
        (("preparation.crop=none", "preparation.margin=5"), "margin"),
        ((*PICTURES, "preparation.orientation=LPS"), "orientation"),
        ((*SCANS, "data.split.file=s.json", "data.split.folds=3"), "folds"),
        ((*SCANS, "data.split.validation_share=0.2", "data.split.folds=3"), "folds"),
        ((*SCANS, "data.split.file=s.json", "data.split.test_share=0.1"), "validation_share and test_share"),
    ],
)
def test_a_key_that_nothing_would_read_is_refused(overrides: tuple[str, ...], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?<![\w.]){re.escape(key)} must be left out"):
        read_config(Experiment, CONFIGS / "tiny.yaml", overrides)


@pytest.mark.parametrize("overrides", [(), PICTURES, SCANS, (*SCANS, "data.split.folds=3", "fold=2", "data.cache=c")])
def test_an_experiment_that_was_saved_is_read_again(overrides: tuple[str, ...], tmp_path: Path) -> None:
    """Saved with every key it has, whether typed or not."""
    experiment = read_config(Experiment, CONFIGS / "tiny.yaml", overrides)
    write_config(experiment, tmp_path / "experiment.yaml")
    assert read_config(Experiment, tmp_path / "experiment.yaml") == experiment


def test_imagenet_needs_three_modalities() -> None:
    with pytest.raises(ConfigError, match=r"data.modalities must be three for preparation.normalisation imagenet"):
        read_config(Experiment, CONFIGS / "tiny.yaml", ["preparation.normalisation=imagenet"])


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("windows.sizes=3", r"tiny.yaml: windows\.sizes: Extra"),
        ("network.depth=3", r"tiny.yaml: network\.depth: Extra"),
        ("windows.size=[[32,32],[32,32],[32,x]]", r"; windows\.size\.2\.1: Input should be a valid integer"),
        ("data.synthetic.volumes=0", r"tiny.yaml: data\.synthetic\.volumes: Input should be greater"),
    ],
)
def test_a_key_is_named_as_it_was_typed(override: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        read_config(Experiment, CONFIGS / "tiny.yaml", [override])


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("side", [4, 8])
def test_a_coarsest_level_of_one_voxel_is_refused_for_training(norm: str, batch_size: int, side: int) -> None:
    windows = f"windows.size=[[4,{side}],[4,{side}],[4,{side}]]"
    overrides = [windows, f"trainer.batch_size={batch_size}", f"network.norm={norm}", "network.widths=[4,4,4]"]
    network = build_network(UNetConfig(in_channels=12, widths=(4, 4, 4), norm=norm)).train()
    try:
        network(torch.rand(batch_size, 12, 4, side))
    except ValueError:
        with pytest.raises(ConfigError, match=r"windows\.size must be more than 4 along some axis"):
            read_config(Experiment, CONFIGS / "tiny.yaml", overrides)
    else:
        read_config(Experiment, CONFIGS / "tiny.yaml", overrides)


def test_a_transformer_with_a_coarsest_voxel_of_one_is_refused() -> None:
    boxes = ["windows={kind: boxes, size: [32, 32, 32]}", "network={name: swin_unetr, in_channels: 4}"]
    with pytest.raises(ConfigError, match="more than 32"):
        read_config(Experiment, CONFIGS / "tiny.yaml", boxes)
    boxes[0] = "windows={kind: boxes, size: [64, 32, 32]}"
    assert read_config(Experiment, CONFIGS / "tiny.yaml", boxes).network.multiple == 32
