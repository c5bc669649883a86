from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bratsseg.config import read_config
from bratsseg.errors import ModelError, WriteError
from bratsseg.inference.model import ModelFolder
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import BEST
from bratsseg.training.release import release
from bratsseg.training.run import train

TINY = Path(__file__).resolve().parents[2] / "configs" / "training" / "tiny.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "tiny"
    train(read_config(Experiment, TINY), folder)
    return folder


def test_release_loads_and_is_the_averaged_network(run: Path, tmp_path: Path) -> None:
    release([run], tmp_path / "mine", "mine", licence="CC0-1.0")
    folder = ModelFolder(tmp_path / "mine")
    (network,) = folder.networks()
    assert folder.description.name == "mine"
    assert "CC0-1.0" in folder.card
    state = torch.load(run / BEST, weights_only=True)["state_dict"]
    average = {k.removeprefix("average."): v for k, v in state.items() if k.startswith("average.")}
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, average[key], rtol=2e-3, atol=1e-4)


def test_a_folder_of_something_else_is_left_alone(run: Path, tmp_path: Path) -> None:
    release([run], tmp_path / "mine", "mine")
    release([run], tmp_path / "mine", "mine")
    with pytest.raises(WriteError, match="must be new"):
        release([run], tmp_path / "mine", "other")
    assert ModelFolder(tmp_path / "mine").description.name == "mine"


def test_release_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must hold"):
        release([tmp_path], tmp_path / "out", "mine")
    assert not (tmp_path / "out").exists()


def test_one_fold_twice_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="different folds"):
        release([run, run], tmp_path / "out", "mine")


def test_a_model_of_pictures_needs_what_dropout_left_it(tmp_path: Path) -> None:
    small = (
        "synthesis.pictures.size=32", "synthesis.pictures.spacing_mm=8", "preparation.plane_size=[32,32]",
        "windows.size=[32,32]", "network.widths=[2,4]", "data.synthetic.volumes=1",
        "data.synthetic.windows_per_volume=4", "data.synthetic.validation_patients=1", "trainer.batch_size=2",
        "trainer.steps_per_epoch=1", "trainer.max_steps=1", "trainer.precision=32-true", "trainer.accelerator=cpu",
    )  # fmt: skip
    train(read_config(Experiment, TINY.with_name("default_picture.yaml"), small), tmp_path / "run")
    described = release([tmp_path / "run"], tmp_path / "mine", "mine")
    assert described.needs == {Region.WT: ((Modality.FLAIR,),)}
    assert described.preparation.subject == "picture"
