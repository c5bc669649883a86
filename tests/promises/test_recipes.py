"""Every training config that ships can be built at full size, and trains: two steps each, in small."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bratsseg.config import read_config
from bratsseg.network import (
    AnyNetworkConfig,
    SegResNetConfig,
    SwinUNETRConfig,
    UNetConfig,
    VGGUNetConfig,
    build_network,
)
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import LOG
from bratsseg.training.run import train

RECIPES = sorted((Path(__file__).resolve().parents[2] / "configs" / "training").glob("*.yaml"))
TWO_STEPS = (
    "trainer.max_steps=2",
    "trainer.steps_per_epoch=2",
    "trainer.batch_size=2",
    "trainer.precision=32-true",
    "trainer.accelerator=cpu",
    "trainer.threads=1",
    "data.workers=0",
)
"""What every recipe is run with here, besides a quarter of its width and the smallest window."""
MADE_PATIENTS = (
    "data.synthetic.volumes=1",
    "data.synthetic.windows_per_volume=4",
    "data.synthetic.validation_patients=1",
    "data.split={}",
    "preparation.spacing_mm=8",
)
"""For scans: patients made on the fly. Pictures are made by ``picture_folder``, or of patients made on the fly."""


@pytest.fixture(scope="module")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients of three slices each in the layout of the LGG set, one slice without tumour."""
    folder = tmp_path_factory.mktemp("lgg") / "kaggle_3m"
    for patient in ("CS_0001_19970101", "DU_0002_19970101", "FG_0003_19970101", "HT_0004_19970101"):
        case = folder / f"TCGA_{patient}"
        case.mkdir(parents=True)
        for n in (1, 2, 3):
            mask = np.zeros((48, 48), np.uint8)
            mask[10:30, 12 : 12 + 5 * n] = 255 * (n > 1)
            picture = np.indices((48, 48)).sum(axis=0)[..., None].astype(np.uint8) + (mask[..., None] // 4)
            picture = np.repeat(picture, 3, axis=2)
            Image.fromarray(picture).save(case / f"{case.name}_{n}.tif")
            Image.fromarray(mask).save(case / f"{case.name}_{n}_mask.tif")
    return folder


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_built_at_full_size(path: Path) -> None:
    experiment = read_config(Experiment, path)
    with torch.device("meta"):
        network = build_network(experiment.network)
    assert sum(parameter.numel() for parameter in network.parameters()) > 0
    assert all(parameter.is_meta for parameter in network.parameters())


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains(path: Path, picture_folder: Path, tmp_path: Path) -> None:
    full = read_config(Experiment, path)
    experiment = read_config(Experiment, path, (*TWO_STEPS, *in_small(full, picture_folder)))
    assert experiment.loss == full.loss
    assert experiment.optimiser == full.optimiser
    assert experiment.augmentation == full.augmentation
    train(experiment, tmp_path / "run")
    with (tmp_path / "run" / LOG).open(newline="", encoding="utf-8") as stream:
        last = list(csv.DictReader(stream))[-1]
    assert last["step"] == "2"
    assert 0 <= float(last[experiment.trainer.monitor]) <= 1


def in_small(full: Experiment, picture_folder: Path) -> tuple[str, ...]:
    """Data that is made, the smallest window that the network takes (one box a step), and a quarter of its width."""
    side = smallest_side(full.network)
    sides = ",".join([str(side)] * (2 if full.windows.kind == "slabs" else 3))
    overrides = [f"windows.size=[{sides}]", *quarter_width(full.network)]
    if full.windows.kind == "boxes":
        overrides.append("trainer.batch_size=1")
    if full.preparation.plane_size is not None:
        overrides.append(f"preparation.plane_size=[{side},{side}]")
    if full.preparation.subject == "picture" and full.data.synthetic is not None:
        taken = (f"synthesis.pictures.size={side}", "synthesis.pictures.spacing_mm=8")
        return (*overrides, *taken, *MADE_PATIENTS[:-1])
    if full.preparation.subject == "picture":
        return (*overrides, f"data.folder={picture_folder}")
    return (*overrides, *MADE_PATIENTS)


def smallest_side(network: AnyNetworkConfig) -> int:
    """Two voxels a side at the coarsest level: norms without a batch have no statistics of one."""
    return 64 if isinstance(network, SwinUNETRConfig) else max(2 * network.multiple, 4)


def quarter_width(network: AnyNetworkConfig) -> list[str]:
    """The override that makes each level a quarter as wide."""
    match network:
        case UNetConfig():
            return [f"network.widths={[max(width // 4, 1) for width in network.widths]}"]
        case VGGUNetConfig():
            return [
                f"network.encoder_widths={[width // 4 for width in network.encoder_widths]}",
                f"network.decoder_widths={[width // 4 for width in network.decoder_widths]}",
            ]
        case SegResNetConfig():
            return ["network.init_filters=8"]  # the fewest that its group norm takes
        case SwinUNETRConfig():
            return [f"network.feature_size={network.feature_size // 4}"]
    return []
