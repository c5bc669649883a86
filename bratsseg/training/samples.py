"""Samples of prepared cases: what is cut from where depends on the seed and the sample's position in the run alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.data import Dataset

from bratsseg.tensors.windows import BoxWindows, SlabWindows, cut_box, fit, slab
from bratsseg.training.prepared import PreparedCase, draw_place


class CaseSamples(Dataset[tuple[Tensor, Tensor, int]]):
    """Sample ``position`` of the whole run: a picture, its truth, and the position.

    ``batch_size`` counts the samples of one batch over all processes, whose slabs lie in one plane. Cases come in
    rounds, each in an order of its own, so that all are seen equally often.
    """

    def __init__(
        self, cases: Sequence[PreparedCase], windows: SlabWindows | BoxWindows, seed: int, batch_size: int
    ) -> None:
        if not cases:
            raise ValueError("at least one case is needed")
        self._cases, self._windows, self._seed, self._batch_size = cases, windows, seed, batch_size

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor, int]:
        """Cut the sample; see ``draw_window``."""
        case = self._cases[self._case_at(position)]
        generator = sample_generator(self._seed, position)
        axis = self._plane(position // self._batch_size) if isinstance(self._windows, SlabWindows) else 2
        picture, truth = draw_window(case, self._windows, generator, axis)
        return picture, truth, position

    def name_of(self, position: int) -> str:
        """The case behind a sample, for a message."""
        return f"case {self._cases[self._case_at(position)].id}"

    def _case_at(self, position: int) -> int:
        turn, place = divmod(position, len(self._cases))
        return _order(self._seed, turn, len(self._cases))[place]

    def _plane(self, batch: int) -> int:
        assert isinstance(self._windows, SlabWindows)
        generator = sample_generator(self._seed + 1, batch)
        return int(torch.multinomial(torch.tensor(self._windows.planes), 1, generator=generator))


def sample_generator(seed: int, position: int) -> torch.Generator:
    """The draws of one sample of a run."""
    return torch.Generator().manual_seed((seed * 1_000_003 + position * 7_919 + 11) % 2**63)


def draw_window(
    case: PreparedCase, windows: SlabWindows | BoxWindows, generator: torch.Generator, axis: int = 2
) -> tuple[Tensor, Tensor]:
    """A slab (C × slices, A, B) across ``axis`` with the truth (R, A, B) of its centre, or a box (C, I, J, K) with its.

    Pictures are float16, truth is uint8. Only the voxels of the window are read.
    """
    if isinstance(windows, SlabWindows):
        return _draw_slab(case, windows, generator, axis)
    return _draw_box(case, windows, generator)


def _draw_slab(
    case: PreparedCase, windows: SlabWindows, generator: torch.Generator, axis: int
) -> tuple[Tensor, Tensor]:
    def uniform() -> float:
        return float(torch.rand((), generator=generator))

    tumour = case.tumour_rows[axis]
    rows = tumour if len(tumour) and uniform() < windows.tumour_share else case.rows[axis]
    at = int(rows[int(uniform() * len(rows))])
    start, size = (uniform(), uniform()), windows.sizes[axis]
    picture = fit(slab(case.images, at, windows.slices, axis), size, start)
    return picture.contiguous(), fit(case.regions.select(axis + 1, at).to(torch.uint8), size, start).contiguous()


def _draw_box(case: PreparedCase, windows: BoxWindows, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    shares = torch.rand(4, generator=generator).tolist()
    place = draw_place(case.places, generator) if shares[3] < windows.tumour_share else None
    corner = []
    for axis, (share, wanted) in enumerate(zip(shares, windows.size, strict=False)):
        spare = case.images.shape[axis + 1] - wanted
        low, high = min(spare, 0), max(spare, 0)
        if place is not None and spare > 0:
            # The voxel may lie anywhere in the box: always in the middle, it would teach the network where to look.
            low, high = max(0, int(place[axis]) - wanted + 1), min(spare, int(place[axis]))
        corner.append(low + int(share * (high - low + 1)))
    picture = cut_box(case.images, corner, windows.size)
    return picture.contiguous(), cut_box(case.regions, corner, windows.size).to(torch.uint8).contiguous()


@lru_cache(maxsize=8)
def _order(seed: int, turn: int, count: int) -> list[int]:
    order: list[int] = torch.randperm(count, generator=sample_generator(seed + 2, turn)).tolist()
    return order
