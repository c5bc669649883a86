from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from bratsseg.config import read_config
from bratsseg.errors import ConfigError, ModelError
from bratsseg.inference.model import ModelFolder
from bratsseg.training.data import SlabStream
from bratsseg.training.experiment import Experiment
from bratsseg.training.release import release
from bratsseg.training.run import CHECKPOINT, LOG, train

TINY = Path(__file__).resolve().parents[2] / "configs" / "training" / "tiny.yaml"

Batch = tuple[torch.Tensor, torch.Tensor]


def tiny(*overrides: str) -> Experiment:
    return read_config(Experiment, TINY, overrides)


def state(run: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(run / CHECKPOINT, weights_only=True)["state_dict"]
    return loaded


def rows(run: Path) -> list[dict[str, str]]:
    with (run / LOG).open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run") / "tiny"
    train(tiny(), run)
    return run


def test_two_steps_leave_a_run(trained: Path) -> None:
    assert [row["step"] for row in rows(trained)] == ["1", "2"]
    assert all(0 <= float(rows(trained)[-1][f"dice_{r}_all"]) <= 1 for r in ("WT", "TC", "ET"))
    assert read_config(Experiment, trained / "experiment.yaml") == tiny()
    assert any(not torch.equal(state(trained)[k], state(trained)[k.replace("network.", "average.")])
               for k in state(trained) if k.startswith("network."))  # fmt: skip


def test_an_interrupted_run_goes_on_bit_for_bit(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = SlabStream._batch

    def dies(self: SlabStream, step: int, worker: int, workers: int) -> Batch:
        if step == 1:
            raise RuntimeError("power cut")
        return batch(self, step, worker, workers)

    monkeypatch.setattr(SlabStream, "_batch", dies)
    with pytest.raises(RuntimeError, match="power cut"):
        train(tiny(), tmp_path)
    monkeypatch.undo()
    train(tiny(), tmp_path)
    resumed, through = state(tmp_path), state(trained)
    assert resumed.keys() == through.keys()
    assert all(torch.equal(resumed[key], through[key]) for key in through)
    assert [row["step"] for row in rows(tmp_path)] == ["1", "2"]


def test_a_finished_run_started_again_changes_nothing(trained: Path) -> None:
    before = state(trained)
    train(tiny(), trained)
    assert all(torch.equal(state(trained)[key], before[key]) for key in before)


def test_another_experiment_in_the_same_folder_is_refused(trained: Path) -> None:
    with pytest.raises(ConfigError, match="another experiment"):
        train(tiny("optimiser.learning_rate=0.5"), trained)


def test_release_loads_and_is_the_averaged_network(trained: Path, tmp_path: Path) -> None:
    release(trained, tmp_path / "mine", "mine")
    folder = ModelFolder(tmp_path / "mine")
    (network,) = folder.networks()
    assert folder.description.name == "mine"
    assert folder.description.trained["steps"] == 2
    average = {k.removeprefix("average."): v for k, v in state(trained).items() if k.startswith("average.")}
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, average[key], rtol=2e-3, atol=1e-4)


def test_release_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must hold"):
        release(tmp_path, tmp_path / "out", "mine")
