from __future__ import annotations

import pytest
import torch

from bratsseg.tensors.windows import fit, rows_with, slab, slabs


def brute_force(volume: torch.Tensor, slices: int, axis: int) -> torch.Tensor:
    channels, sizes = volume.shape[0], volume.shape[1:]
    others = [sizes[a] for a in range(3) if a != axis]
    result = torch.zeros(sizes[axis], channels * slices, *others)
    for n in range(sizes[axis]):
        for c in range(channels):
            for s in range(slices):
                at = n + s - slices // 2
                if 0 <= at < sizes[axis]:
                    result[n, c * slices + s] = volume[c].select(axis, at)
    return result


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("slices", [1, 3, 5])
def test_slabs_equal_brute_force(axis: int, slices: int) -> None:
    volume = torch.randn(2, 4, 5, 6)
    expected = brute_force(volume, slices, axis)
    assert torch.equal(slabs(volume, slices, axis), expected)
    for at in range(volume.shape[axis + 1]):
        assert torch.equal(slab(volume, at, slices, axis), expected[at])


def test_fit_crops_and_pads() -> None:
    picture = torch.arange(1.0, 13).view(1, 3, 4)
    assert torch.equal(fit(picture, (2, 4), (1.0, 0.0)), picture[:, 1:])
    wide = fit(picture, (3, 6), (0.0, 0.5))
    assert torch.equal(wide[:, :, 1:5], picture)
    assert wide[:, :, [0, 5]].abs().sum() == 0
    assert fit(picture, (5, 2), (0.3, 0.9)).shape == (1, 5, 2)


def test_fit_keeps_everything_when_there_is_room() -> None:
    picture = torch.rand(2, 5, 7)
    assert float(fit(picture, (9, 8), (0.8, 0.1)).sum()) == pytest.approx(float(picture.sum()), rel=1e-5)


def test_rows_with() -> None:
    mask = torch.zeros(4, 5, 6, dtype=torch.bool)
    mask[1, 2, 3] = mask[1, 4, 5] = True
    assert [rows_with(mask, axis).tolist() for axis in range(3)] == [[1], [2, 4], [3, 5]]
