from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from bratsseg.config import read_config
from bratsseg.errors import ConfigError, ModelError
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import BEST, LAST, LOG, SCORES
from bratsseg.training.run import train
from bratsseg.training.synthetic import SyntheticSamples

TINY = Path(__file__).resolve().parents[2] / "configs" / "training" / "tiny.yaml"

Sample = tuple[torch.Tensor, torch.Tensor, int]


def tiny(*overrides: str) -> Experiment:
    return read_config(Experiment, TINY, overrides)


def state(run: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(run / LAST, weights_only=True)["state_dict"]
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
    assert all(0 <= float(rows(trained)[-1][f"vol_dice_{r}"]) <= 1 for r in ("WT", "TC", "ET", "mean"))
    assert read_config(Experiment, trained / "experiment.yaml") == tiny()
    assert any(not torch.equal(state(trained)[k], state(trained)[k.replace("network.", "average.")])
               for k in state(trained) if k.startswith("network."))  # fmt: skip
    with (trained / SCORES).open(newline="") as stream:
        (case,) = csv.DictReader(stream)
    assert 0 <= float(case["vol_dice_WT@flair_t1c"]) <= 1
    assert f"{float(case['vol_dice_WT']):.3f}" in (trained / "report.html").read_text(encoding="utf-8")


def test_an_interrupted_run_goes_on_bit_for_bit(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get = SyntheticSamples.__getitem__

    def dies(self: SyntheticSamples, position: int) -> Sample:
        if position == 2:
            raise RuntimeError("power cut")
        return get(self, position)

    monkeypatch.setattr(SyntheticSamples, "__getitem__", dies)
    with pytest.raises(RuntimeError, match="power cut"):
        train(tiny(), tmp_path)
    monkeypatch.undo()
    train(tiny(), tmp_path)
    resumed, through = state(tmp_path), state(trained)
    assert resumed.keys() == through.keys()
    assert all(torch.equal(resumed[key], through[key]) for key in through)
    assert [row["step"] for row in rows(tmp_path)] == ["1", "2"]


def test_a_finished_run_started_again_changes_nothing(trained: Path) -> None:
    before = (trained / LAST).read_bytes()
    train(tiny(), trained)
    assert (trained / LAST).read_bytes() == before


def test_another_experiment_in_a_folder_is_refused_by_key(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"optimiser.learning_rate was 0.002, is 0.5"):
        train(tiny("optimiser.learning_rate=0.5", "data.workers=3"), trained)


def test_a_worse_model_never_replaces_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.4, 0.45, 0.6])

    def scored(*_: object) -> dict[str, float]:
        return dict.fromkeys(tiny().score_names, next(scores))

    monkeypatch.setattr("bratsseg.training.module.score_in_frame", scored)
    train(tiny("trainer.max_steps=2"), tmp_path)
    best = (tmp_path / BEST).read_bytes()
    train(tiny("trainer.max_steps=3"), tmp_path)  # resumed: the best score must have been restored
    assert (tmp_path / BEST).read_bytes() == best
    train(tiny("trainer.max_steps=4"), tmp_path)
    assert (tmp_path / BEST).read_bytes() != best


def test_patience_ends_a_run_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = dict.fromkeys(tiny().score_names, 0.3)
    monkeypatch.setattr("bratsseg.training.module.score_in_frame", lambda *_: flat)
    train(tiny("trainer.max_steps=9", "trainer.patience=2"), tmp_path)
    train(tiny("trainer.max_steps=9", "trainer.patience=2"), tmp_path)
    assert [row["step"] for row in rows(tmp_path)] == ["1", "2", "3"]


def test_fine_tuning_refuses_a_model_of_other_channels(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="weights differ"):
        train(tiny("trainer.init_from=default"), tmp_path)
