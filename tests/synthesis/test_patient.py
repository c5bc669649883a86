from __future__ import annotations

import pytest
import torch

from bratsseg.study.modality import Modality
from bratsseg.synthesis.anatomy import AnatomyConfig
from bratsseg.synthesis.artefacts import ArtefactConfig
from bratsseg.synthesis.contrast import ContrastConfig
from bratsseg.synthesis.distractors import DistractorConfig
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.tumour import TumourConfig

SPACING_MM = 4.0
CHANNEL = {modality: number for number, modality in enumerate(Modality)}

NOTHING = DistractorConfig(
    hyperintensities=0, caps=0, flow=0, vessels=0, dura=0, plexus=0,
    bright_cortex=0, cyst=0, residue=0, tight=0, field_cut=0,
    confluent=0, sinus=0, haemorrhage=0, bright_regions=0, cavity=0,
)  # fmt: skip
CLEAN = SynthesisConfig(
    distractors=NOTHING,
    artefacts=ArtefactConfig(
        bias_sd=(0, 0), gamma_sd=0, blur=(0, 0), shift_mm=0, thick=0, noise_sd=(0.001, 0.001), poles=0, surface=0
    ),
    contrast=ContrastConfig(patchiness=(0, 0.02), unevenness=(0, 0.01), blood=0, low_contrast=0),
    tumour=TumourConfig(none=0, edema_only=0, non_enhancing=0, second_focus=0, radius_mm=(24, 40), patchy=1),
)


def make(index: int, config: SynthesisConfig | None = None, seed: int = 1) -> SyntheticPatient:
    return synthesize_patient(seed, index, SPACING_MM, config)


def test_same_seed_and_index_give_the_same_patient() -> None:
    first, again, other = make(3), make(3), make(4)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.regions, again.regions)
    assert first.images.shape != other.images.shape or not torch.equal(first.images, other.images)


def test_patient_does_not_depend_on_what_was_made_before() -> None:
    alone = make(5)
    make(6)
    assert torch.equal(alone.images, make(5).images)


@pytest.mark.parametrize("index", range(8))
def test_regions_are_nested_inside_the_brain(index: int) -> None:
    patient = make(index)
    whole, core, enhancing = patient.regions
    assert not (enhancing & ~core).any()
    assert not (core & ~whole).any()
    assert not (whole & ~patient.brain).any()


@pytest.mark.parametrize("index", range(4))
def test_images_are_positive_inside_and_zero_outside_the_brain(index: int) -> None:
    patient = make(index)
    assert patient.images.dtype == torch.float32
    assert patient.images.isfinite().all()
    assert (patient.images[:, patient.brain] > 0).all()
    assert (patient.images[:, ~patient.brain] == 0).all()


def test_shapes_and_spacing() -> None:
    patient = make(0)
    assert patient.images.shape == (4, *patient.brain.shape)
    assert patient.regions.shape == (3, *patient.brain.shape)
    assert patient.spacing == (SPACING_MM,) * 3


def test_brain_volume_is_a_humans() -> None:
    litres = [float(make(n, CLEAN).brain.sum()) * SPACING_MM**3 / 1e6 for n in range(6)]
    assert all(0.85 < volume < 2.2 for volume in litres)


def test_finer_spacing_is_the_same_patient() -> None:
    coarse, fine = synthesize_patient(2, 1, 4.0, CLEAN), synthesize_patient(2, 1, 2.0, CLEAN)
    litres = [float(p.brain.sum()) * p.spacing[0] ** 3 for p in (coarse, fine)]
    assert litres[1] == pytest.approx(litres[0], rel=0.05)


def test_no_tumour_when_none_is_asked_for() -> None:
    assert not make(0, SynthesisConfig(tumour=TumourConfig(none=1))).regions.any()


def test_edema_alone_has_no_core() -> None:
    config = SynthesisConfig(tumour=TumourConfig(none=0, edema_only=1, second_focus=0, radius_mm=(20, 40)))
    regions = make(0, config).regions
    assert regions[0].any()
    assert not regions[1].any()


def test_low_grade_tumours_do_not_enhance() -> None:
    tumour = TumourConfig(none=0, edema_only=0, non_enhancing=1, nodule=0, second_focus=0, radius_mm=(20, 40))
    regions = make(0, SynthesisConfig(tumour=tumour)).regions
    assert regions[1].any()
    assert not regions[2].any()


def median(patient: SyntheticPatient, modality: Modality, where: torch.Tensor) -> float:
    return float(patient.images[CHANNEL[modality]][where].median())


@pytest.mark.parametrize("index", range(6))
def test_tumour_looks_as_a_radiologist_expects(index: int) -> None:
    patient = make(index, CLEAN)
    whole, core, enhancing = patient.regions
    healthy, edema = patient.brain & ~whole, whole & ~core
    assert median(patient, Modality.FLAIR, edema) > median(patient, Modality.FLAIR, healthy)
    assert median(patient, Modality.T2W, edema) > median(patient, Modality.T2W, healthy)
    if enhancing.sum() > 50:
        assert median(patient, Modality.T1C, enhancing) > median(patient, Modality.T1C, edema)
        assert median(patient, Modality.T1C, enhancing) > median(patient, Modality.T1N, enhancing)


def test_heads_differ_in_size() -> None:
    config = SynthesisConfig(anatomy=AnatomyConfig(), distractors=NOTHING)
    volumes = [int(make(n, config).brain.sum()) for n in range(8)]
    assert max(volumes) > 1.15 * min(volumes)


def test_residue_widens_and_tight_masks_narrow_the_brain() -> None:
    def volume(**shares: float) -> int:
        distractors = NOTHING.model_copy(update=shares)
        return sum(int(make(n, SynthesisConfig(distractors=distractors)).brain.sum()) for n in range(4))

    assert volume(tight=1.0) < volume() < volume(residue=1.0)
