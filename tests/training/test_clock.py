"""A run of so many minutes ends in time, keeps its averaged weights whatever happens, and goes on by itself."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bratsseg.config import read_config
from bratsseg.errors import ConfigError
from bratsseg.inference import Segmenter
from bratsseg.inference.model import ModelFolder
from bratsseg.network import build_network
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.training import release
from bratsseg.training.clock import SETTLED, Clock
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import AVERAGE, LAST, LOG
from bratsseg.training.module import SegmentationModule
from bratsseg.training.release import write_average
from bratsseg.training.run import train
from bratsseg.training.synthetic import SyntheticSamples

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "training"
SMALL = (
    "preparation.spacing_mm=6", "windows.size=[16,16,16]", "network.widths=[8,16]", "trainer.batch_size=2",
    "data.synthetic.volumes=2", "data.synthetic.validation_patients=1", "trainer.threads=1",
    "trainer.precision=32-true",
)  # fmt: skip


def small(*overrides: str) -> Experiment:
    return read_config(Experiment, CONFIGS / "default_3d.yaml", [*SMALL, *overrides])


def log(run: Path) -> list[dict[str, str]]:
    with (run / LOG).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_ends_in_time_and_leaves_a_model_that_segments(tmp_path: Path) -> None:
    run = tmp_path / "run"
    experiment = small("trainer.max_minutes=0.1", "trainer.steps_per_epoch=1", "trainer.validate_every=5000")
    train(experiment, run)
    rows = log(run)
    assert 0 < int(rows[-1]["step"]) < experiment.trainer.total_steps
    model = ModelFolder(run / AVERAGE)
    assert model.description.version == f"step {rows[-1]['step']}"
    found = Segmenter.load(run / AVERAGE, "cpu").segment(synthesize_patient(0, 0, 6.0).scanned().study())
    assert found.facts["pass"] == "whole"
    before = log(run)
    train(experiment, run)  # its time is over: nothing is done
    assert log(run) == before
    going_on = small(f"trainer.init_from={run / AVERAGE}", "trainer.max_steps=1")
    train(going_on, tmp_path / "on")
    assert ModelFolder(run / AVERAGE).description.trained["started_from"] is None


def test_the_schedule_is_laid_over_the_steps_that_fit(tmp_path: Path, monkeypatch: Any) -> None:
    now = [1000.0]
    monkeypatch.setattr("bratsseg.training.clock.time.monotonic", lambda: now[0])
    clock, module = Clock(tmp_path, minutes=5), SegmentationModule(small())
    now[0] += 50  # what is built once
    for step in range(3 * SETTLED):
        clock.on_train_batch_start(SimpleNamespace(global_step=step), module, None, step)  # type: ignore[arg-type]
        now[0] += 0.5
    # Two steps a second, and 220 s were left at the last one.
    assert module.expected_steps == pytest.approx(3 * SETTLED + 2 * 220, abs=2)


def test_the_first_epoch_does_not_tell_how_long_one_takes(tmp_path: Path, monkeypatch: Any) -> None:
    now = [1000.0]
    monkeypatch.setattr("bratsseg.training.clock.time.monotonic", lambda: now[0])
    clock = Clock(tmp_path, minutes=1)
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(broadcast=lambda ends: ends), should_stop=False)
    took = []
    while not trainer.should_stop:
        took.append(5 if took else 25)  # the first one tunes convolutions
        clock.on_train_epoch_start(trainer, SegmentationModule(small()))
        now[0] += took[-1]
        clock.on_train_epoch_end(trainer, SegmentationModule(small()))
    assert sum(took) == 55


def test_an_epoch_that_does_not_fit_is_cut_and_its_average_kept(tmp_path: Path) -> None:
    train(small("trainer.max_minutes=0.05", "trainer.steps_per_epoch=5000"), tmp_path)
    assert not (tmp_path / LAST).exists()
    assert ModelFolder(tmp_path / AVERAGE).networks()


def test_a_writing_that_is_cut_short_leaves_the_model_before(tmp_path: Path, monkeypatch: Any) -> None:
    experiment, folder = small(), tmp_path / AVERAGE
    (tmp_path / "versions.json").write_text("{}")
    state = SegmentationModule(experiment).state_dict()
    write_average(experiment, state, 1, folder)
    before, whole = ModelFolder(folder).sha256, release.write_bytes

    def cut(path: Path, content: bytes) -> None:
        if path.name == "model.json":
            raise KeyboardInterrupt
        whole(path, content)

    monkeypatch.setattr(release, "write_bytes", cut)
    with pytest.raises(KeyboardInterrupt):
        write_average(experiment, state, 2, folder)
    assert ModelFolder(folder).sha256 == before
    monkeypatch.undo()
    write_average(experiment, state, 3, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights-0000003.safetensors"]


def test_a_pool_on_the_device_gives_the_samples_of_the_loaders() -> None:
    there, here = SyntheticSamples(small(), 2, torch.device("cpu")), SyntheticSamples(small(), 2)
    for position in (0, 5):
        assert all(torch.equal(a, b) for a, b in zip(there[position][:2], here[position][:2], strict=True))


def test_patients_on_the_device_need_no_workers() -> None:
    with pytest.raises(ConfigError, match=r"workers must be 0 where synthetic\.on_device"):
        small("data.workers=2")


def test_the_3d_network_is_small_enough_to_ship() -> None:
    experiment = read_config(Experiment, CONFIGS / "default_3d.yaml")
    with torch.device("meta"):
        state = build_network(experiment.network).state_dict()
    assert sum(value.numel() for value in state.values()) <= 7_500_000
    assert experiment.network.one_pass
