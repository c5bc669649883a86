"""Samples: windows of prepared cases hold what the case has, follow the seed and the position, and find the tumour."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bratsseg.tensors.windows import BoxWindows, SlabWindows, cut_box
from bratsseg.training.prepared import PreparedCase, prepared
from bratsseg.training.samples import CaseSamples, draw_window, sample_generator

SHAPE = (12, 13, 12)


def case_of(name: str = "a", tumour: bool = True, shape: tuple[int, int, int] = SHAPE) -> PreparedCase:
    """Every voxel holds its own number, so that a window tells where it was cut."""
    count = shape[0] * shape[1] * shape[2]
    images = (torch.arange(count).view(1, *shape) % 2047 + 1).half()
    regions = torch.zeros((3, *shape), dtype=torch.bool)
    if tumour:
        regions[0, 3:9, 4:9, 5:9] = True
        regions[1, 4:6, 5:7, 6:8] = True
        regions[2, 4, 5, 6] = True
    return prepared(name, images, regions, torch.ones(shape, dtype=torch.bool))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    corner=st.tuples(*[st.integers(-30, 40)] * 3),
    size=st.tuples(*[st.integers(1, 30)] * 3),
)
def test_a_box_is_the_volume_there_and_zero_beyond(corner: tuple[int, int, int], size: tuple[int, int, int]) -> None:
    volume = case_of().images
    cut = cut_box(volume, corner, size)
    assert cut.shape == (1, *size)
    padded = torch.nn.functional.pad(volume, [60] * 6)
    part = tuple(slice(low + 60, low + 60 + wanted) for low, wanted in zip(corner, size, strict=True))
    whole = torch.zeros((1, *size), dtype=volume.dtype)
    there = padded[(slice(None), *part)]
    whole[tuple(slice(0, n) for n in there.shape)] = there
    assert torch.equal(cut, whole)


def test_boxes_centre_on_every_region_whatever_its_size() -> None:
    case, windows = case_of(), BoxWindows(size=(8, 8, 8), tumour_share=1.0)
    found = [draw_window(case, windows, generator(n))[1].flatten(1).any(1) for n in range(60)]
    assert all(bool(regions[0]) for regions in found), "a box of the tumour's share shows tumour"
    assert sum(bool(regions[2]) for regions in found) > 15, "one voxel of ET must be shown in a third of the boxes"


def test_a_box_shows_truth_and_picture_of_the_same_place() -> None:
    case = case_of()
    for n in range(20):
        picture, truth = draw_window(case, BoxWindows(size=(8, 10, 8), tumour_share=0.5), generator(n))
        place = (case.images[0] == picture[0, 0, 0, 0]).nonzero()[0].tolist()
        there = tuple(slice(low, low + wanted) for low, wanted in zip(place, (8, 10, 8), strict=True))
        assert torch.equal(truth.bool(), case.regions[(slice(None), *there)])


def test_a_head_smaller_than_the_window_is_padded() -> None:
    small = case_of(shape=(10, 10, 10))
    picture, truth = draw_window(small, BoxWindows(size=(16, 16, 16)), generator())
    assert picture.shape == (1, 16, 16, 16)
    assert truth.shape == (3, 16, 16, 16)
    assert int((picture > 0).sum()) == 1000


def test_slabs_keep_their_share_of_slices_without_tumour() -> None:
    windows = SlabWindows(slices=3, size=(16, 16), tumour_share=0.0)
    empty = [not draw_window(case_of(), windows, generator(n))[1].any() for n in range(80)]
    assert 40 < sum(empty) < 78
    always = SlabWindows(slices=3, size=(16, 16), tumour_share=1.0)
    assert all(draw_window(case_of(), always, generator(n))[1].any() for n in range(40))


def test_a_case_without_tumour_still_gives_samples() -> None:
    windows: list[BoxWindows | SlabWindows] = [BoxWindows(size=(8, 8, 8)), SlabWindows(slices=1, size=(16, 16))]
    for kind in windows:
        picture, truth = draw_window(case_of(tumour=False), kind, generator())
        assert picture.any()
        assert not truth.any()


def test_a_sample_depends_on_its_position_alone() -> None:
    cases = [case_of(name) for name in "abc"]
    windows = SlabWindows(slices=1, size=(16, 16))
    one, other = CaseSamples(cases, windows, 7, 4), CaseSamples(cases, windows, 7, 4)
    backwards: dict[int, Tensor] = {n: other[n][0] for n in reversed(range(24))}
    assert all(torch.equal(one[n][0], backwards[n]) for n in range(24))
    assert any(not torch.equal(CaseSamples(cases, windows, 8, 4)[n][0], backwards[n]) for n in range(24))


def test_all_cases_are_seen_equally_often() -> None:
    cases = [case_of(name) for name in "abcde"]
    samples = CaseSamples(cases, BoxWindows(size=(8, 8, 8)), 0, 2)
    names = [samples.name_of(n) for n in range(25)]
    assert {names.count(name) for name in set(names)} == {5}
    assert len(set(names)) == 5
    assert names[:5] != names[5:10], "each round has an order of its own"


def test_slabs_of_one_batch_lie_in_one_plane() -> None:
    shape = (12, 20, 28)
    windows = SlabWindows(slices=1, size=((20, 28), (12, 28), (12, 20)), planes=(1, 1, 1))
    samples = CaseSamples([case_of(shape=shape)], windows, 3, 4)
    planes = [{tuple(samples[batch * 4 + n][0].shape[1:]) for n in range(4)} for batch in range(12)]
    assert all(len(sizes) == 1 for sizes in planes)
    assert len(set.union(*planes)) == 3


def test_generators_of_neighbours_differ() -> None:
    drawn = {float(torch.rand((), generator=sample_generator(0, n))) for n in range(100)}
    assert len(drawn) == 100
