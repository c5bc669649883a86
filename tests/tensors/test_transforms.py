from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bratsseg.errors import UsageError
from bratsseg.study.brain import Brain
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume
from bratsseg.tensors.transfer import scaled, to_device, values_on
from bratsseg.tensors.transforms import (
    Placement,
    Preparation,
    expand_box,
    masked_moments,
    normalise,
    normalise_as,
    picked_moments,
    place_back,
    plan,
    prepare,
    to_model_frame,
)
from tests.conftest import ball, make_study

ORIENTATIONS = st.permutations([0, 1, 2]).flatmap(
    lambda axes: st.tuples(st.just(axes), st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
)


def affine_of(axes: list[int], signs: tuple[float, ...], spacing: tuple[float, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for column, (axis, sign, edge) in enumerate(zip(axes, signs, spacing, strict=True)):
        affine[axis, column] = sign * edge
    affine[:3, 3] = (11.0, -7.0, 3.0)
    return affine


@settings(max_examples=40, deadline=None)
@given(orientation=ORIENTATIONS, shape=st.tuples(*[st.integers(3, 12)] * 3), multiple=st.sampled_from([1, 4, 16]))
def test_place_back_undoes_prepare_to_the_bit(orientation, shape, multiple):
    """Where the spacings agree."""
    grid = Grid.of(shape, affine_of(*orientation, (1.5, 1.5, 1.5)))
    box = (slice(1, shape[0]), slice(0, shape[1] - 1), slice(0, shape[2]))
    values = torch.rand((2, *(part.stop - part.start for part in box)))
    placement = plan(grid, box, Preparation(spacing_mm=1.5, multiple=multiple))
    there = to_model_frame(values, placement)
    assert all(size % multiple == 0 for size in there.shape[1:])
    assert torch.equal(place_back(there, placement), values)


@settings(max_examples=25, deadline=None)
@given(orientation=ORIENTATIONS, spacing=st.tuples(*[st.floats(0.5, 5.5)] * 3), model=st.sampled_from([1.0, 1.5, 2.0]))
def test_voxel_centres_come_back_within_a_hundredth_of_a_mm(orientation, spacing, model):
    shape = tuple(int(max(4, 60 // edge)) for edge in spacing)
    grid = Grid.of(shape, affine_of(*orientation, spacing))
    box = tuple(slice(0, size) for size in shape)
    placement = plan(grid, box, Preparation(spacing_mm=model))
    coordinates = np.stack(np.meshgrid(*(np.arange(size, dtype=np.float32) for size in shape), indexing="ij"))
    millimetres = torch.from_numpy(coordinates * np.array(spacing, dtype=np.float32)[:, None, None, None])
    back = place_back(to_model_frame(millimetres, placement), placement)
    # Beyond the outermost model voxels the edge repeats, and the widened triangle bends there: look inside.
    rim = [int(np.ceil(2 * max(model, edge) / edge)) for edge in spacing]
    inner = (slice(None), *(slice(r, size - r) for r, size in zip(rim, shape, strict=True)))
    assert back[inner].sub(millimetres[inner]).abs().max() < 0.01 if back[inner].numel() else True


@settings(max_examples=15, deadline=None)
@given(
    orientation=ORIENTATIONS,
    spacing=st.tuples(*[st.floats(0.8, 1.6)] * 3),
    shift=st.tuples(*[st.floats(-2, 2)] * 3),
    model=st.sampled_from([1.0, 1.5]),
)
def test_a_ball_of_15_mm_survives_the_round_trip(orientation, spacing, shift, model):
    shape = tuple(int(44 / edge) for edge in spacing)
    index = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), -1) * np.array(spacing)
    middle = np.array(shape) * np.array(spacing) / 2 + np.array(shift)
    truth = ((index - middle) ** 2).sum(-1) <= 15.0**2
    grid = Grid.of(shape, affine_of(*orientation, spacing))
    placement = plan(grid, tuple(slice(0, size) for size in shape), Preparation(spacing_mm=model))
    back = place_back(to_model_frame(torch.from_numpy(truth).float()[None], placement), placement)[0].numpy() > 0.5
    assert 2 * (back & truth).sum() / (back.sum() + truth.sum()) >= 0.99


def test_model_frame_points_right_anterior_superior():
    shape = (6, 7, 8)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    values = torch.zeros((1, *shape))
    values[0, 0, 0, 7] = 1.0  # in LPS the first voxel is the rightmost, most anterior one
    placement = plan(Grid.of(shape, lps), tuple(slice(0, n) for n in shape), Preparation())
    assert to_model_frame(values, placement)[0, -1, -1, -1] == 1.0


def test_normalise_by_hand():
    images = torch.tensor([1.0, 2.0, 3.0, 100.0]).reshape(1, 4, 1, 1)
    inside = torch.tensor([True, True, True, False]).reshape(4, 1, 1)
    wanted = torch.tensor([-1.2247449, 0.0, 1.2247449, 0.0]).reshape(1, 4, 1, 1)
    assert torch.allclose(normalise(images, inside), wanted)


def test_a_constant_channel_becomes_zero_rather_than_noise():
    assert normalise(torch.full((1, 3, 3, 3), 7.0), torch.ones((3, 3, 3), dtype=torch.bool)).abs().max() == 0


def test_a_missing_modality_is_zeros_and_so_is_the_air():
    study = make_study((Modality.T1C,))
    mask = study.volumes[Modality.T1C].voxels != 0
    brain = Brain(mask, tuple(slice(2, size - 2) for size in mask.shape), "test")
    images, inside, _ = prepare(study, brain, tuple(Modality), Preparation(spacing_mm=2.0))
    assert images[0].abs().max() == 0
    assert images[2].abs().max() > 0
    assert images[:, ~inside].abs().max() == 0
    assert images[2, inside].mean().abs() < 1e-4


def test_the_margin_stays_inside_the_volume():
    assert expand_box((slice(1, 5), slice(0, 10), slice(4, 6)), (8, 10, 7), 2) == (
        slice(0, 7),
        slice(0, 10),
        slice(2, 7),
    )


def test_fine_detail_is_averaged_on_a_coarser_grid():
    """Rather than aliased."""
    stripes = (np.indices((24, 24, 24)).sum(0) % 2).astype(np.float32)
    grid = Grid.of(stripes.shape, np.eye(4))
    placement = plan(grid, tuple(slice(0, 24) for _ in range(3)), Preparation(spacing_mm=2.0))
    inner = to_model_frame(torch.from_numpy(stripes)[None], placement)[0, 2:-2, 2:-2, 2:-2]
    assert torch.allclose(inner, torch.full_like(inner, 0.5), atol=0.05)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 5.0), (0.9, 0.9, 6.5)])
def test_thick_slices_are_interpolated_to_the_model_spacing(spacing):
    shape = (20, 20, 8)
    lesion = ball(shape, (10, 10, 4), 4).astype(np.int16)
    volume = Volume(lesion + np.int16(1), Grid.of(shape, np.diag([*spacing, 1.0])))
    brain = Brain(np.ones(shape, dtype=bool), tuple(slice(0, size) for size in shape), "test")
    images, _, placement = prepare(
        Study("thick", {Modality.FLAIR: volume}), brain, (Modality.FLAIR,), Preparation(spacing_mm=1.5)
    )
    assert placement.resampled[2] == int(np.ceil(8 * spacing[2] / 1.5))
    assert place_back(images, placement).shape == (1, *shape)


@settings(max_examples=10, deadline=None)
@given(orientation=ORIENTATIONS)
def test_results_come_back_the_same_from_a_frame_in_lps(orientation):
    """A network may see the head from the other side."""
    grid = Grid.of((5, 6, 7), affine_of(*orientation, (1.0, 1.0, 1.0)))
    box = (slice(0, 5), slice(0, 6), slice(0, 7))
    values = torch.rand((1, 5, 6, 7))
    ras, lps = (plan(grid, box, Preparation(orientation=where)) for where in ("RAS", "LPS"))
    assert torch.equal(to_model_frame(values, lps), to_model_frame(values, ras).flip((1, 2)))
    assert torch.equal(place_back(to_model_frame(values, lps), lps), values)


PICTURE = Placement(
    (4, 3, 2), (slice(0, 4), slice(0, 3), slice(0, 2)), (0, 1, 2), (False,) * 3, (4, 3, 2), (4, 3, 2), (1.0,) * 3,
    (4, 4, 2), picture=True,
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(orientation=ORIENTATIONS, shape=st.tuples(*[st.integers(2, 9)] * 3), size=st.tuples(*[st.integers(8, 24)] * 2))
def test_place_back_undoes_the_size_of_planes(orientation, shape, size):
    """And a picture stays in the order of its array."""
    grid = Grid.of(shape, affine_of(*orientation, (1.0, 1.0, 1.0)), physical=False)
    preparation = Preparation(subject="picture", plane_size=size, multiple=16)
    placement = plan(grid, tuple(slice(0, n) for n in shape), preparation)
    assert placement.resampled == (*size, shape[2])
    assert placement.padded[2] == shape[2]
    ramps = torch.from_numpy(np.indices(shape).astype(np.float32))
    there = to_model_frame(ramps, placement)
    assert (there[0, : size[0], 0, 0].diff() >= -1e-6).all()  # I still runs the same way
    back = place_back(there, placement)
    inner = (slice(None), *(slice(1, n - 1) for n in shape[:2]), slice(None))
    assert back.shape == ramps.shape
    if size[0] >= 2 * shape[0] and size[1] >= 2 * shape[1] and back[inner].numel():
        assert back[inner].sub(ramps[inner]).abs().max() < 0.3


def test_normalisations_by_hand():
    image = torch.zeros((1, 4, 4, 2))
    image[0, :, :3, 0], image[0, :, :3, 1] = 51.0, 255.0
    image[0, 0, 0] = 0.0
    inside = torch.zeros((4, 4, 2), dtype=torch.bool)
    inside[:, :3] = True
    unit = normalise_as("unit", image, inside, PICTURE)
    assert unit[0, 1, 1].tolist() == pytest.approx([0.2, 1.0])
    by_slice = normalise_as("minmax-slice", image, inside, PICTURE)
    assert by_slice[0, 1, 1].tolist() == [1.0, 1.0]
    whole = normalise_as("zscore-picture", image, inside, PICTURE)
    values = image[:, :4, :3]
    assert torch.allclose(whole[:, :4, :3], (values - values.mean()) / values.std(correction=0), atol=1e-5)
    for result in (unit, by_slice, whole):
        assert result[:, :, 3].abs().max() == 0


def test_imagenet_asks_for_three_channels_and_centres_them():
    volumes = {
        modality: Volume(np.full((4, 4, 1), value, dtype=np.uint8), Grid.of((4, 4, 1), np.eye(4), physical=False))
        for modality, value in ((Modality.T1N, 0), (Modality.FLAIR, 128), (Modality.T1C, 255))
    }
    brain = Brain(np.ones((4, 4, 1), dtype=bool), (slice(0, 4), slice(0, 4), slice(0, 1)), "picture")
    preparation = Preparation(subject="picture", normalisation="imagenet")
    images, _, _ = prepare(Study("photo", volumes), brain, tuple(volumes), preparation)
    assert images[:, 0, 0, 0].tolist() == pytest.approx([-2.1179, (128 / 255 - 0.456) / 0.224, 2.64], abs=1e-3)
    with pytest.raises(UsageError, match="must be 3"):
        prepare(Study("photo", volumes), brain, (Modality.FLAIR,), preparation)


GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("offset", [0.0, 1000.0, -3.5])
def test_moments_without_waiting_equal_those_of_what_is_picked(offset):
    inside = torch.from_numpy(ball((20, 18, 16), (10, 9, 8), 6))
    images = torch.randn(2, 20, 18, 16, generator=torch.manual_seed(1)) * 20 + offset
    for found, expected in zip(masked_moments(images, inside), picked_moments(images, inside), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.0371, 0.0), (1.0, -1024.0), (1.7, 3.3)])
@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_voxels_scaled_on_the_device_are_the_same_to_the_bit(kind, slope, intercept):
    stored = np.arange(np.iinfo(kind).min, np.iinfo(kind).max, dtype=kind)[:, None, None]
    volume = Volume(stored, Grid.of(stored.shape, np.eye(4)), slope, intercept)
    assert np.array_equal(scaled(torch.from_numpy(stored), slope, intercept).numpy(), volume.values())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=GPU)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.float64, np.float32])
def test_voxels_arrive_as_they_are(device, order, kind):
    voxels = np.asarray(np.random.default_rng(0).integers(0, 900, (9, 8, 7)), dtype=kind, order=order)
    volume, box = Volume(voxels, Grid.of(voxels.shape, np.eye(4)), 2.0), (slice(1, 8), slice(0, 8), slice(2, 5))
    assert np.array_equal(values_on(volume, box, device).cpu().numpy(), volume.values(box))
    mask = voxels > 400
    assert np.array_equal(to_device(mask[box], device).cpu().numpy(), mask[box])


@GPU
@pytest.mark.parametrize("kind", ["zscore-brain", "zscore-nonzero", "unit", "minmax-slice"])
def test_a_gpu_prepares_what_the_cpu_does(kind):
    study = make_study(tuple(Modality), affine=affine_of([2, 0, 1], (-1.0, 1.0, -1.0), (1.0, 1.2, 2.0)))
    mask = study.volumes[Modality.FLAIR].voxels != 0
    brain = Brain(mask, (slice(2, 46), slice(5, 51), slice(1, 43)), "for the test")
    rules = Preparation(spacing_mm=1.7, multiple=4, normalisation=kind)
    (ours, inside, there), (theirs, same, here) = (
        prepare(study, brain, tuple(Modality), rules, device) for device in ("cuda:0", "cpu")
    )
    assert (there, inside.cpu().equal(same)) == (here, True)
    torch.testing.assert_close(ours.cpu(), theirs, atol=2e-4, rtol=1e-4)
