from __future__ import annotations

import torch

from bratsseg.synthesis.draws import Draws, Lattice


def draws(seed: int = 0, index: int = 0) -> Draws:
    return Draws(seed, index, torch.device("cpu"))


def test_numbers_stay_in_their_bounds() -> None:
    source = draws()
    for draw in (source.uniform, source.middling, source.low):
        values = [draw((2.0, 3.0)) for _ in range(200)]
        assert 2.0 <= min(values) < max(values) <= 3.0
    assert all(4 <= source.log_normal(10, 2, (4, 52)) <= 52 for _ in range(100))


def test_low_prefers_the_low_end() -> None:
    source = draws()
    assert sum(source.low((0, 1)) for _ in range(1000)) / 1000 < 0.4


def test_field_has_mean_zero_and_sd_about_one() -> None:
    fields = torch.stack([draws(index=n).field((40, 40, 40), 1.5, 6.0)[0] for n in range(4)])
    assert abs(float(fields.mean())) < 0.1
    assert 0.8 < float(fields.std()) < 1.25


def test_seed_and_index_both_matter() -> None:
    numbers = {draws(seed, index).uniform((0, 1)) for seed in range(5) for index in range(5)}
    assert len(numbers) == 25


def test_index_follows_weights() -> None:
    source = draws()
    assert {source.index(torch.tensor([0.0, 1.0, 0.0, 2.0])) for _ in range(50)} == {1, 3}


def test_lattice_is_centred() -> None:
    line = Lattice((4, 5, 6), 2.0, torch.device("cpu")).axis_mm(1)
    assert line.flatten().tolist() == [-4.0, -2.0, 0.0, 2.0, 4.0]
    assert line.shape == (1, 5, 1)
