from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bratsseg.errors import ContentError, GridMismatch, NotBrainExtracted
from bratsseg.study.brain import _reached_around, bounding_box, find_brain, reached_from_border
from bratsseg.study.grid import Grid
from bratsseg.study.likeness import unlike_brain
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import synthesize_patient
from tests.conftest import ball, make_study

SHAPE = (48, 56, 44)
CENTRE = (24.0, 28.0, 22.0)
GRID = Grid.of(SHAPE, np.diag([4.0, 4.0, 4.0, 1.0]))


def head_with_blanked_air() -> np.ndarray:
    """Brain, dark bone, bright scalp, and air of exactly 0."""
    head = np.zeros(SHAPE, dtype=np.int16)
    for radius, value in ((20, 900), (18, 60), (14, 700)):
        head[ball(SHAPE, CENTRE, radius)] = value
    return head


def study_of(*volumes: np.ndarray, mask: np.ndarray | None = None) -> Study:
    named = {m: Volume(v, GRID) for m, v in zip((Modality.FLAIR, Modality.T1C), volumes, strict=False)}
    return Study("brain", named, mask=None if mask is None else Volume(mask, GRID))


@pytest.mark.parametrize("air", [0.0, -3.5, 1000.0])
def test_brain_is_what_a_constant_border_of_any_value_leaves(air):
    inside = ball(SHAPE, CENTRE, 18)
    values = np.where(inside, 50.0 + np.random.default_rng(1).normal(0, 3, SHAPE), air).astype(np.float32)
    assert np.array_equal(find_brain(study_of(values)).mask, inside)


def scaled(voxels: np.ndarray, low: float, high: float, air: float) -> np.ndarray:
    """Tissue with its smallest value at ``low`` and its largest at ``high``, and what was 0 at ``air``."""
    tissue = voxels[voxels > 0].astype(np.float32)
    share = (voxels - tissue.min()) / (tissue.max() - tissue.min())
    return np.where(voxels > 0, low + share * (high - low), air).astype(np.float32)


def z_scored(voxels: np.ndarray, air: float) -> np.ndarray:
    tissue = voxels[voxels > 0].astype(np.float32)
    return np.where(voxels > 0, (voxels - tissue.mean()) / tissue.std(), air).astype(np.float32)


def clipped(voxels: np.ndarray, percent: float) -> np.ndarray:
    low, high = np.percentile(voxels[voxels > 0], [percent, 100 - percent])
    return np.clip(voxels, low, high).astype(np.float32)


SCALINGS = {
    "z-scored, air 0": lambda voxels: z_scored(voxels, 0.0),
    "z-scored, air at the minimum": lambda voxels: z_scored(voxels, float(z_scored(voxels, 0.0).min())),
    "z-scored, air far below": lambda voxels: z_scored(voxels, -10.0),
    "z-scored, air absurdly far": lambda voxels: z_scored(voxels, -1000.0),
    "0 to 1": lambda voxels: scaled(voxels, 0.0, 1.0, 0.0),
    "-1 to 1, air 0": lambda voxels: scaled(voxels, -1.0, 1.0, 0.0),
    "-1 to 1, air -1": lambda voxels: scaled(voxels, -1.0, 1.0, -1.0),
    "clipped": lambda voxels: clipped(voxels, 1.0),
    "clipped and z-scored, air 0": lambda voxels: z_scored(np.where(voxels > 0, clipped(voxels, 2.0), 0.0), 0.0),
}


def brain_in_air() -> np.ndarray:
    """Grey and white matter in shells around ventricles, with noise; air of exactly 0."""
    brain = np.zeros(SHAPE, dtype=np.float32)
    for radius, value in ((20, 700.0), (16, 900.0), (8, 250.0)):
        brain[ball(SHAPE, CENTRE, radius)] = value
    return np.where(brain > 0, brain + np.random.default_rng(2).normal(0, 40, SHAPE), 0).astype(np.float32)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_brain_is_the_same_however_its_intensities_were_scaled(scaling: str) -> None:
    plain = brain_in_air()
    found = find_brain(study_of(SCALINGS[scaling](plain))).mask
    assert (found != (plain > 0)).mean() < 0.0005


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_head_is_refused_however_its_intensities_were_scaled(scaling: str) -> None:
    head = head_with_blanked_air() + np.random.default_rng(3).normal(0, 10, SHAPE) * (head_with_blanked_air() > 0)
    with pytest.raises(NotBrainExtracted, match="bone"):
        find_brain(study_of(SCALINGS[scaling](head)))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_noise_in_the_air_is_refused_however_it_was_scaled(scaling: str) -> None:
    noisy = np.abs(np.random.default_rng(4).normal(0, 30, SHAPE)) + 1 + brain_in_air()
    with pytest.raises(NotBrainExtracted):
        find_brain(study_of(SCALINGS[scaling](noisy)))


CUTS = {
    "at one deviation": lambda voxels: np.clip(z_scored(voxels, 0.0), -1, 1),
    "at one and a half": lambda voxels: np.clip(z_scored(voxels, 0.0), -1.5, 1.5),
    "a tenth at both ends": lambda voxels: z_scored(np.where(voxels > 0, clipped(voxels, 10.0), 0.0), 0.0),
}


@pytest.fixture(scope="module")
def patient() -> Study:
    """A synthetic brain of all modalities with air of 0."""
    made = synthesize_patient(91, 0, 3.0)
    grid = Grid.of(tuple(n + 4 for n in made.brain.shape), np.diag([3.0, 3.0, 3.0, 1.0]))
    images = np.pad(np.maximum(made.images.numpy(), 1e-3) * made.brain.numpy(), [(0, 0)] + [(2, 2)] * 3)
    return Study("patient", {m: Volume(image, grid) for m, image in zip(Modality, images, strict=True)})


def changed(study: Study, change: Callable[[np.ndarray], np.ndarray]) -> Study:
    return Study("changed", {m: Volume(change(v.voxels), v.grid) for m, v in study.volumes.items()})


@pytest.mark.parametrize("cut", CUTS)
def test_a_brain_whose_darkest_values_were_cut_off_is_one(patient: Study, cut: str) -> None:
    assert find_brain(changed(patient, CUTS[cut])).mask.any()


@pytest.mark.parametrize("cut", CUTS)
def test_a_head_is_refused_though_its_darkest_were_cut_off(cut: str) -> None:
    head = head_with_blanked_air() + np.random.default_rng(3).normal(0, 10, SHAPE) * (head_with_blanked_air() > 0)
    with pytest.raises(NotBrainExtracted, match="bone"):
        find_brain(study_of(CUTS[cut](head)))


@pytest.mark.parametrize("radius_mm", [30, 38, 50])
def test_the_cavity_of_an_operation_is_not_taken_for_bone(patient: Study, radius_mm: float) -> None:
    shape = patient.reference.grid.shape
    cavity = ball(shape, (0.3 * shape[0], 0.6 * shape[1], 0.6 * shape[2]), radius_mm / 3)
    operated = changed(patient, lambda voxels: np.where(cavity & (voxels > 0), 0.05, voxels).astype(np.float32))
    assert find_brain(operated).mask.any()


def test_a_brain_in_voxels_of_nine_millimetres_is_one(patient: Study) -> None:
    grid = Grid.of(tuple(-(-n // 3) for n in patient.reference.grid.shape), np.diag([9.0, 9.0, 9.0, 1.0]))
    coarse = Study("coarse", {m: Volume(volume.voxels[::3, ::3, ::3], grid) for m, volume in patient.volumes.items()})
    assert unlike_brain(coarse, find_brain(coarse)) == ()


def test_voxels_of_a_centimetre_are_not_called_bone(patient: Study) -> None:
    grid = Grid.of(patient.reference.grid.shape, np.diag([10.0, 10.0, 10.0, 1.0]))
    large = Study("large", {m: Volume(volume.voxels, grid) for m, volume in patient.volumes.items()})
    assert unlike_brain(large, find_brain(large))[0].startswith("its longest side is")


def test_a_hole_of_the_air_value_inside_the_brain_is_brain():
    values = np.where(ball(SHAPE, CENTRE, 18), 50, 0).astype(np.int16)
    values[22:26, 26:30, 20:24] = 0
    assert find_brain(study_of(values)).mask[23, 27, 21]


def test_brains_of_the_modalities_are_united():
    one, other = (np.where(ball(SHAPE, (c, 28, 22), 14), 50, 0).astype(np.int16) for c in (22, 26))
    assert np.array_equal(find_brain(study_of(one, other)).mask, (one > 0) | (other > 0))


def test_a_mask_file_comes_before_everything_else():
    mask = ball(SHAPE, CENTRE, 10).astype(np.uint8)
    brain = find_brain(study_of(head_with_blanked_air(), mask=mask))
    assert brain.rule == "mask file"
    assert np.array_equal(brain.mask, mask > 0)
    assert brain.box == bounding_box(mask > 0)


def test_a_mask_is_read_as_its_values_not_as_it_is_stored():
    mask = ball(SHAPE, CENTRE, 10)
    stored = Volume(np.where(mask, 32767, -32768).astype(np.int16), GRID, slope=1 / 65535, intercept=32768 / 65535)
    study = study_of(head_with_blanked_air())
    assert np.array_equal(find_brain(Study("scaled", study.volumes, mask=stored)).mask, mask)


def test_air_noise_is_refused_with_the_way_on():
    noisy = np.random.default_rng(0).integers(0, 30, SHAPE).astype(np.int16) + head_with_blanked_air()
    with pytest.raises(NotBrainExtracted, match="--mask"):
        find_brain(study_of(noisy))


def test_a_head_with_blanked_air_is_refused_by_its_dark_skull():
    with pytest.raises(NotBrainExtracted, match="bone"):
        find_brain(study_of(head_with_blanked_air()))


def test_a_field_of_view_that_cuts_the_brain_is_accepted():
    values = np.where(ball(SHAPE, CENTRE, 18), 50, 0).astype(np.int16)
    cut = Volume(values[:, :, 14:30], Grid.of((48, 56, 16), GRID.affine))
    assert find_brain(Study("slab", {Modality.FLAIR: cut})).mask.any()


def test_an_empty_mask_leaves_no_brain():
    with pytest.raises(ContentError, match="must not be empty"):
        find_brain(study_of(head_with_blanked_air(), mask=np.zeros(SHAPE, dtype=np.uint8)))


def test_volumes_on_other_grids_are_refused_with_the_distance():
    study = make_study()
    moved = Volume(study.volumes[Modality.T1C].voxels, Grid.of(SHAPE, np.diag([2.0, 2.0, 2.1, 1.0])))
    with pytest.raises(GridMismatch, match=r"4\.3 mm"):
        find_brain(Study("moved", {**study.volumes, Modality.T1C: moved}))


@pytest.mark.real
def test_real_heads_are_refused_and_real_brains_are_not(real_data):
    from bratsseg.study.layout import find_cases
    from bratsseg.study.reading import read_study

    for folder in ("brats2013", "brats2021", "brats2023", "no-tumour"):
        for case in find_cases(real_data / folder):
            brain = find_brain(read_study(case))
            assert 900 < np.count_nonzero(brain.mask) / 1000 < 1900, case.id
    for case in find_cases(real_data / "native"):
        if not case.sources:  # a DICOM study and the reference of it
            continue
        study = read_study(case)
        for modality, volume in study.volumes.items():
            with pytest.raises(NotBrainExtracted):
                find_brain(Study(case.id, {modality: volume}))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.95), st.tuples(*[st.integers(0, 5)] * 6), st.sampled_from("CF"))
def test_air_around_a_box_need_not_be_searched(seed, share, margins, order):
    """Whatever lies in it, and whether it touches the edge of the array or not."""
    air = np.random.default_rng(seed).random((7, 6, 5)) < share
    air = np.asarray(np.pad(air, np.reshape(margins, (3, 2)), constant_values=True), order=order)
    assert np.array_equal(_reached_around(air.copy(order="K")), reached_from_border(air))
