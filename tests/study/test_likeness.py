"""What a model of brains takes for one, and what it does not; on synthetic heads and on strangers of every kind."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bratsseg.errors import NotBrainExtracted
from bratsseg.study.brain import find_brain
from bratsseg.study.grid import Grid
from bratsseg.study.layout import find_cases
from bratsseg.study.likeness import figures_of, unlike_brain, unlike_head
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.head import HeadConfig

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
VOLUMES = ("ball_noisy", "ball_shaded", "cube", "noise_brain", "face", "abdomen", "knee", "rods", "tiny", "huge")
VOLUMES += ("liver", "lungs", "cylinder", "two_brains", "shuffled", "half")
PICTURES = ("text", "gradient", "radial", "strip", "noise", "face", "disc_shaded", "fractal", "landscape", "stripes")
PICTURES += ("two_brains", "four_brains")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def strange(kind: str) -> ModuleType:
    return importlib.import_module(f"strange_{kind}")


def told(study: Study) -> tuple[str, ...]:
    return unlike_brain(study, find_brain(study))


@pytest.mark.usefixtures("scripts")
def test_synthetic_heads_are_like_brains_in_every_form() -> None:
    heads = importlib.import_module("heads")
    studies = [heads.volume_head(77, 1), *heads.picture_heads(77, 1, slices=3)]
    assert {study.case_id: told(study) for study in studies if told(study)} == {}


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize("name", VOLUMES)
def test_volumes_of_something_else_are_not(name: str) -> None:
    assert told(strange("volumes").volume_stranger(name, 3))


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("seed", [1, 2])
def test_pictures_of_something_else_are_not(name: str, seed: int) -> None:
    assert told(strange("pictures").picture_stranger(name, seed))


@pytest.mark.usefixtures("scripts")
def test_what_is_wrong_is_told_with_numbers_and_the_range() -> None:
    said = told(strange("volumes").volume_stranger("tiny", 1))
    assert said[0] == "its longest side is 15 mm, must be 80 to 260 mm"
    strip = told(strange("pictures").picture_stranger("strip", 1))
    assert "its shorter side is 1 pixels, must be at least 32 pixels" in strip


@pytest.fixture(scope="module")
def head() -> Study:
    patient = synthesize_patient(5, 1, 3.0)
    grid = Grid.of(patient.brain.shape, np.diag([*patient.spacing, 1.0]))
    image = np.pad(patient.images[0].numpy(), 1)
    grid = Grid.of(image.shape, grid.affine)
    return Study("head", {Modality.FLAIR: Volume(image, grid)})


@settings(max_examples=15, deadline=None)
@given(
    order=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    gain=st.floats(1e-3, 1e3),
    offset=st.floats(-10, 10),
)
def test_the_order_of_axes_and_the_scale_change_nothing(
    head: Study, order: list[int], flips: tuple[bool, ...], gain: float, offset: float
) -> None:
    volume = head.reference
    voxels, affine = volume.voxels.transpose(order), volume.grid.affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip:
            voxels = np.flip(voxels, axis)
            affine[:, 3] += affine[:, axis] * (voxels.shape[axis] - 1)
            affine[:, axis] *= -1
    turned = Study("turned", {Modality.FLAIR: Volume(voxels * gain + offset * gain, Grid.of(voxels.shape, affine))})
    plain, other = (figures_of(study, find_brain(study)) for study in (head, turned))
    assert told(turned) == told(head) == ()
    for figure in ("longest", "ml", "filling", "solid"):
        assert other.of_all[figure] == pytest.approx(plain.of_all[figure], rel=0.05)
    for figure, value in plain.of_each[Modality.FLAIR].items():
        assert other.of_each[Modality.FLAIR][figure] == pytest.approx(value, abs=0.08), figure


def test_a_head_with_skull_is_like_a_head_a_gradient_is_not() -> None:
    patient = synthesize_patient(5, 2, 3.0, SynthesisConfig(head=HeadConfig()))
    grid = Grid.of(patient.brain.shape, np.diag([*patient.spacing, 1.0]))
    skull = Study("skull", {Modality.FLAIR: Volume(patient.images[0].numpy(), grid)})
    with pytest.raises(NotBrainExtracted):
        find_brain(skull)
    assert unlike_head(skull) == ()
    ramp = np.linspace(0, 1, grid.shape[0], dtype=np.float32)[:, None, None] * np.ones(grid.shape, np.float32)
    assert unlike_head(Study("ramp", {Modality.FLAIR: Volume(ramp, grid)}))


@pytest.mark.real
def test_real_scans_are_like_brains(real_data: Path) -> None:
    refused = {}
    for folder in ("brats2013", "brats2018", "brats2021", "brats2023", "no-tumour"):
        for case in find_cases(real_data / folder):
            if said := told(read_study(case)):
                refused[case.id] = said
    assert refused == {}


@pytest.mark.real
def test_real_pictures_are_like_brains(real_data: Path) -> None:
    cases = find_cases(real_data / "lgg" / "kaggle_3m.zip")
    assert {case.id: said for case in cases if (said := told(read_study(case)))} == {}
