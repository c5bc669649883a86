from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bratsseg.config import read_config
from bratsseg.errors import ConfigError
from bratsseg.study.modality import Modality
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.training.data import SlabStream, draw_modalities, jitter, prepare_patient
from bratsseg.training.experiment import (
    DataConfig,
    Experiment,
    ModalityShares,
    ScheduleConfig,
    learning_rate_factor,
)

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "training"
ORDER = list(Modality)


def tiny(*overrides: str) -> Experiment:
    return read_config(Experiment, CONFIGS / "tiny.yaml", overrides)


def test_prepared_volume_is_zscored_in_the_brain() -> None:
    patient = prepare_patient(synthesize_patient(0, 0, 5.0))
    for channel in patient.volume.float():
        inside = channel[channel != 0]
        assert float(inside.mean()) == pytest.approx(0, abs=0.02)
        assert float(inside.std()) == pytest.approx(1, abs=0.02)


def test_batches_have_the_networks_shape() -> None:
    batches = list(SlabStream(tiny("trainer.steps_per_epoch=3")))
    assert len(batches) == 3
    for pictures, truth in batches:
        assert (pictures.shape, pictures.dtype) == ((2, 12, 32, 32), torch.float16)
        assert (truth.shape, truth.dtype) == ((2, 3, 32, 32), torch.uint8)


def test_a_resumed_stream_continues_where_the_first_would_have_been() -> None:
    experiment = tiny("trainer.steps_per_epoch=3")
    through = SlabStream(experiment)
    list(through)
    second_epoch, resumed = list(through), list(SlabStream(experiment, first_epoch=1))
    for (a, b), (c, d) in zip(second_epoch, resumed, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


def test_modalities_are_dropped_as_often_as_configured() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = [tuple(draw_modalities(ModalityShares(), generator).tolist()) for _ in range(4000)]
    shares = {kept: draws.count(kept) / len(draws) for kept in set(draws)}
    pair = tuple(int(m in (Modality.FLAIR, Modality.T1C)) for m in ORDER)
    alone = tuple(int(m is Modality.FLAIR) for m in ORDER)
    assert shares[(1, 1, 1, 1)] == pytest.approx(0.35, abs=0.03)
    assert shares[pair] == pytest.approx(0.3, abs=0.03)
    assert shares[alone] == pytest.approx(0.08, abs=0.02)
    edema = [ORDER.index(Modality.FLAIR), ORDER.index(Modality.T2W)]
    assert all(any(kept[n] for n in edema) for kept in shares)
    assert len(shares) == 12


def test_a_dropped_modality_is_zero_and_air_stays_zero() -> None:
    data = DataConfig(slices=3, modalities=ModalityShares(all_four=0, flair_t1c=1, flair_only=0))
    picture = torch.randn(12, 8, 8)
    picture[:, 0] = 0
    out = jitter(picture, data, torch.Generator().manual_seed(1)).view(4, 3, 8, 8)
    for number, modality in enumerate(ORDER):
        assert bool((out[number] != 0).any()) == (modality in (Modality.FLAIR, Modality.T1C))
    assert (out[:, :, 0] == 0).all()


def test_learning_rate_rises_holds_and_falls() -> None:
    schedule = ScheduleConfig(max_steps=100, warmup_steps=10, decay_share=0.3, final=0.1)
    factors = [learning_rate_factor(step, schedule) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10:70] == [1.0] * 60
    assert factors[85] == pytest.approx(0.55)
    assert factors[100] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.slices=4", "odd"),
        ("network.in_channels=7", "must be 12"),
        ("data.window=[[31,32],[32,32],[32,32]]", "multiples"),
    ],
)
def test_contradictions_fail_at_reading(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(override)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.name)
def test_every_config_is_read_and_says_what_it_is_for(path: Path) -> None:
    read_config(Experiment, path)
    assert path.read_text(encoding="utf-8").startswith("# Purpose: ")
