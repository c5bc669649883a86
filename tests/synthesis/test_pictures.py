"""Heads with their skull, and the pictures that are taken of them."""

from __future__ import annotations

import hashlib

import pytest
import torch

from bratsseg.study.modality import Modality
from bratsseg.synthesis.artefacts import ArtefactConfig
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.head import HeadConfig
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.pictures import PictureConfig, Pictures, take_pictures
from bratsseg.synthesis.tumour import TumourConfig

SPACING_MM = 4.0
FLAIR, T1N, T1C = (list(Modality).index(m) for m in (Modality.FLAIR, Modality.T1N, Modality.T1C))
CLEAN = ArtefactConfig(bias_sd=(0, 0), gamma_sd=0, blur=(0, 0), shift_mm=0, thick=0, noise_sd=(0.001, 0.001))
SMALL = PictureConfig(spacing_mm=SPACING_MM, size=64, filled=0, lifted=0, compressed=0)
THICK = HeadConfig(suppressed=0, gap_mm=(1, 1), bone_mm=(10, 10), scalp_mm=(7, 7))
HEAD = SynthesisConfig(head=HeadConfig(), artefacts=CLEAN, pictures=SMALL, tumour=TumourConfig(none=0))


def make(index: int, config: SynthesisConfig = HEAD) -> SyntheticPatient:
    return synthesize_patient(1, index, SPACING_MM, config)


def pictures(index: int, config: PictureConfig = SMALL) -> Pictures:
    return take_pictures(make(index), 1, index, config)


# Written down with generator version 7: shape, brain, regions, mean of each modality.
STRIPPED = {
    (1, 0): ((34, 42, 35), 19609, [4308, 1845, 505], [0.44204, 0.33052, 0.32882, 0.46849]),
    (1, 3): ((36, 43, 38), 22431, [3426, 2164, 183], [0.35188, 0.3292, 0.32326, 0.58381]),
    (20, 7): ((40, 52, 41), 32340, [1686, 394, 18], [0.36071, 0.35009, 0.34877, 0.5368]),
}


@pytest.mark.parametrize("which", STRIPPED)
def test_patients_are_what_their_generator_version_says(which: tuple[int, int]) -> None:
    patient = synthesize_patient(*which, SPACING_MM)
    shape, brain, regions, means = STRIPPED[which]
    assert tuple(patient.brain.shape) == shape
    # A voxel on a border may fall to either side where another processor rounds otherwise.
    assert int(patient.brain.sum()) == pytest.approx(brain, abs=3)
    assert patient.regions.sum((1, 2, 3)).tolist() == pytest.approx(regions, abs=3)
    assert patient.images.double().mean((1, 2, 3)).tolist() == pytest.approx(means, abs=2e-5)


def test_how_pictures_are_taken_does_not_change_the_patient() -> None:
    def digest(config: SynthesisConfig) -> str:
        patient = make(2, config)
        return hashlib.sha256(patient.images.numpy().tobytes() + patient.regions.numpy().tobytes()).hexdigest()

    assert digest(SynthesisConfig()) == digest(SynthesisConfig(pictures=SMALL))


@pytest.mark.parametrize("index", range(3))
def test_around_the_brain_lie_bone_then_scalp_then_air(index: int) -> None:
    """The bone dark, the scalp bright."""
    patient = make(index, HEAD.model_copy(update={"head": THICK}))
    flat, brain = patient.images[T1N], patient.brain
    _, _, top = (int(axis.max()) for axis in torch.nonzero(brain, as_tuple=True))
    widest = top - round(55 / SPACING_MM)  # well above eyes and ears
    plane, inside = flat[:, :, widest], brain[:, :, widest]
    outside = plane[~inside]
    grown = torch.nn.functional.max_pool2d(inside[None].float(), 5, 1, 2)[0] > 0
    ring = plane[grown & ~inside]
    assert float(ring.quantile(0.2)) < 0.6 * float(plane[inside].median())
    assert float(outside.max()) > float(plane[inside].median())
    assert float(plane[:2].abs().max()) < 0.1
    assert float(plane[:, -2:].abs().max()) < 0.1


def test_a_head_is_wider_than_its_brain_but_below() -> None:
    patient = make(0)
    assert not patient.brain[0].any()
    assert not patient.brain[:, :, -1].any()
    assert (patient.images[FLAIR] > 0.2).sum() > 1.2 * patient.brain.sum()


def test_the_same_seed_and_index_give_the_same_pictures() -> None:
    first, again = pictures(3), pictures(3)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.regions, again.regions)


def test_pictures_have_256_shades_and_truth_where_flair_shines() -> None:
    taken = pictures(1)
    assert taken.images.shape[:3] == (4, 64, 64)
    assert taken.regions.shape == (3, *taken.images.shape[1:])
    levels = taken.images * 255
    assert torch.equal(levels, levels.round())
    assert 0 <= float(taken.images.min()) <= float(taken.images.max()) <= 1
    tumour = taken.regions[0]
    head = taken.images[FLAIR] > 0.1
    assert tumour.any()
    assert float(taken.images[FLAIR][tumour].median()) > float(taken.images[FLAIR][head & ~tumour].median())


def test_the_forehead_is_above() -> None:
    head = torch.zeros(4, 40, 50, 30)
    head[:, 5:35, 5:45] = 0.5
    head[:, 10:30, 38:45] = 1.0  # RAS: a high J is in front
    brain = head[0] > 0
    patient = SyntheticPatient(head, torch.zeros(3, 40, 50, 30, dtype=torch.bool), brain, (SPACING_MM,) * 3)
    image = take_pictures(patient, 1, 0, SMALL).images[FLAIR, :, :, 15]
    bright = torch.nonzero(image > 0.9 * image.max())[:, 1]
    rows = torch.nonzero(image > 0.3 * image.max())[:, 1]
    assert float(bright.float().mean()) < float(rows.float().mean()) - 5


def test_thick_slices_are_smoother_from_one_to_the_next() -> None:
    def step(thickness: float) -> float:
        config = SMALL.model_copy(update={"thickness_mm": (thickness, thickness), "bright": (0.5, 0.5)})
        return float(pictures(2, config).images[FLAIR].diff(dim=-1).abs().mean())

    assert step(16.0) < step(4.0)


def test_a_sequence_that_is_missing_can_be_filled_with_flair() -> None:
    config = SMALL.model_copy(update={"filled": 1.0, "filled_both": 1.0, "bright": (0.5, 0.5)})
    taken = pictures(0, config)
    assert torch.equal(taken.images[T1C], taken.images[FLAIR])
    assert torch.equal(taken.images[T1N], taken.images[FLAIR])


def test_lossy_storing_changes_little_and_keeps_the_shades() -> None:
    plain, lossy = pictures(4), pictures(4, SMALL.model_copy(update={"compressed": 1.0, "loss": (0.02, 0.02)}))
    difference = (plain.images - lossy.images).abs()
    assert 0 < float(difference.mean()) < 0.02
    assert torch.equal(lossy.images * 255, (lossy.images * 255).round())


def test_air_can_be_lifted_from_black() -> None:
    taken = pictures(0, SMALL.model_copy(update={"lifted": 1.0, "lift": (0.2, 0.2)}))
    assert float(taken.images.min()) >= 0.19
