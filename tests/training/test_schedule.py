from __future__ import annotations

import itertools
import json
import math

import pytest
import torch
from torch.optim.lr_scheduler import PolynomialLR, ReduceLROnPlateau

from bratsseg.training.schedule import Plateau, ScheduleConfig, learning_rate_factor


def factors(schedule: ScheduleConfig, steps: int) -> list[float]:
    return [learning_rate_factor(step, steps, schedule) for step in range(steps)]


@pytest.mark.parametrize("name", ["linear_decay", "cosine", "poly", "plateau", "constant"])
def test_every_kind_warms_up_and_stays_within_its_bounds(name: str) -> None:
    course = factors(ScheduleConfig(name=name, warmup_steps=10), 100)
    assert course[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert all(0 < value <= 1 for value in course)
    assert all(later <= earlier for earlier, later in itertools.pairwise(course[10:]))
    assert learning_rate_factor(1000, 100, ScheduleConfig(name=name)) >= 0


def test_linear_decay_falls_over_its_share_alone() -> None:
    course = factors(ScheduleConfig(warmup_steps=0, decay_share=0.3, final=0.1), 100)
    assert course[:71] == [1.0] * 71
    assert course[85] == pytest.approx(0.1 + 0.9 * 0.5)
    assert learning_rate_factor(100, 100, ScheduleConfig(warmup_steps=0, final=0.1)) == pytest.approx(0.1)


def test_cosine_is_half_way_in_the_middle() -> None:
    schedule = ScheduleConfig(name="cosine", warmup_steps=20, final=0.2)
    assert learning_rate_factor(70, 120, schedule) == pytest.approx(0.6)
    assert learning_rate_factor(120, 120, schedule) == pytest.approx(0.2)
    assert learning_rate_factor(45, 120, schedule) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2)


def test_poly_equals_torchs() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = PolynomialLR(optimiser, total_iters=50, power=0.9)
    for value in factors(ScheduleConfig(name="poly", warmup_steps=0), 50):
        assert value == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        oracle.step()


def test_plateau_equals_torchs_and_goes_on_from_its_state() -> None:
    scores = [0.1, 0.3, 0.3, 0.29, 0.30001, 0.2, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.9, 0.8, 0.8, 0.8, 0.8]
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = ReduceLROnPlateau(optimiser, mode="max", factor=0.5, patience=2, min_lr=0.1)
    schedule = ScheduleConfig(name="plateau", factor=0.5, patience=2, final=0.1)
    plateau = Plateau(schedule)
    for score in scores:
        oracle.step(score)
        saved = json.loads(json.dumps(plateau.state_dict()))
        plateau = Plateau(schedule)
        plateau.load_state_dict(saved)
        assert plateau.update(score) == pytest.approx(optimiser.param_groups[0]["lr"])
    assert plateau.factor < 0.3


def test_a_score_that_is_not_a_number_is_no_improvement() -> None:
    plateau = Plateau(ScheduleConfig(name="plateau", patience=1, factor=0.5))
    assert [plateau.update(score) for score in (0.5, math.nan, math.nan)] == [1.0, 1.0, 0.5]
