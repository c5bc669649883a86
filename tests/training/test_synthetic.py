from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bratsseg.config import read_config
from bratsseg.errors import ConfigError
from bratsseg.exchange.brats import write_patient
from bratsseg.study.brain import find_brain
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from bratsseg.study.volume import Study
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.pictures import take_pictures
from bratsseg.tensors.transforms import Preparation, prepare
from bratsseg.training.data import Positions
from bratsseg.training.experiment import Experiment
from bratsseg.training.sources import DataConfig
from bratsseg.training.synthetic import SyntheticSamples, make_patient, prepare_patient, prepare_pictures

TINY = Path(__file__).resolve().parents[2] / "configs" / "training" / "tiny.yaml"


def tiny(*overrides: str) -> Experiment:
    return read_config(Experiment, TINY, overrides)


def test_prepared_patient_is_zscored_in_the_brain() -> None:
    experiment = tiny()
    patient = prepare_patient(synthesize_patient(0, 0, 6.0), experiment.data, experiment.preparation)
    for channel in patient.images.float():
        inside = channel[channel != 0]
        assert float(inside.mean()) == pytest.approx(0, abs=0.02)
        assert float(inside.std()) == pytest.approx(1, abs=0.02)


@pytest.fixture(scope="module")
def at_one_mm() -> SyntheticPatient:
    return synthesize_patient(7, 3, 1.0)  # fits into the slices of BraTS


@pytest.fixture(scope="module")
def read_back(at_one_mm: SyntheticPatient, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The same patient as ``bratsseg synthesize`` writes it, read as every study is read."""
    folder = write_patient(at_one_mm, tmp_path_factory.mktemp("scans"), "P1", "a test")
    (case,) = find_cases(folder.parent)
    return read_study(case)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"margin": 0},
        {"margin": 5, "multiple": 16},
        {"orientation": "LPS"},
        {"normalisation": "zscore-nonzero"},
        {"normalisation": "unit"},
        {"plane_size": (64, 48), "normalisation": "minmax-slice"},
    ],
    ids=str,
)
def test_training_sees_what_inference_sees(
    at_one_mm: SyntheticPatient, read_back: Study, changed: dict[str, Any]
) -> None:
    """Files on the BraTS grid hold whole numbers in LPS; all that may differ is their rounding."""
    preparation = Preparation(spacing_mm=1.0, **changed)
    images, _, _ = prepare(read_back, find_brain(read_back), tuple(Modality), preparation)
    learnt = prepare_patient(at_one_mm, DataConfig(), preparation).images.float()
    assert learnt.shape == images.shape
    apart = (learnt - images).abs()
    assert float((apart > 0.02).float().mean()) < 0.001
    assert float(images.abs().mean()) > 20 * float(apart.mean())


def test_the_truth_goes_where_the_scans_go(at_one_mm: SyntheticPatient) -> None:
    plain = prepare_patient(at_one_mm, DataConfig(), Preparation(spacing_mm=1.0, margin=0))
    turned = prepare_patient(at_one_mm, DataConfig(), Preparation(spacing_mm=1.0, margin=0, orientation="LPS"))
    assert torch.equal(turned.regions, plain.regions.flip(1, 2))
    assert plain.regions[0].any()
    coarse = prepare_patient(at_one_mm, DataConfig(), Preparation(spacing_mm=2.0))
    voxels, fewer = float(plain.regions[0].sum()), float(coarse.regions[0].sum())
    assert fewer * 8 == pytest.approx(voxels, rel=0.05)
    assert (plain.voxel_ml, coarse.voxel_ml) == (pytest.approx(0.001), pytest.approx(0.008))


def test_samples_have_the_networks_shape() -> None:
    samples = SyntheticSamples(tiny(), 2)
    for position in range(4):
        picture, truth, again = samples[position]
        assert (picture.shape, picture.dtype) == ((12, 32, 32), torch.float16)
        assert (truth.shape, truth.dtype, again) == ((3, 32, 32), torch.uint8, position)


def test_a_sample_depends_on_its_position_alone() -> None:
    through, alone = SyntheticSamples(tiny(), 2), SyntheticSamples(tiny(), 2)
    late = [through[position] for position in range(12)][-1]
    assert all(torch.equal(a, b) for a, b in zip(late[:2], alone[11][:2], strict=True))


def test_two_processes_see_what_one_sees_with_twice_the_batch() -> None:
    def positions(rank: int, world: int, size: int) -> list[int]:
        return list(Positions(batches=3, batch_size=size, rank=rank, world=world, epoch=lambda: 2))

    one, first, second = positions(0, 1, 4), positions(0, 2, 2), positions(1, 2, 2)
    for batch in range(3):
        part = slice(2 * batch, 2 * batch + 2)
        assert first[part] + second[part] == one[4 * batch : 4 * batch + 4]
    assert one[0] == 2 * 3 * 4


PICTURES = (
    "data.modalities=[t1n,flair,t1c]",
    "preparation.subject=picture",
    "preparation.spacing_mm=null",
    "preparation.crop=none",
    "preparation.plane_size=[32,32]",
    "preparation.normalisation=zscore-picture",
    "windows.slices=1",
    "windows.planes=[0,0,1]",
    "network.in_channels=3",
    "synthesis.head={}",
    "synthesis.pictures.size=32",
    "synthesis.pictures.spacing_mm=6",
)


def test_pictures_of_synthetic_patients_are_samples() -> None:
    picture, truth, _ = SyntheticSamples(tiny(*PICTURES), 2)[0]
    assert (picture.shape, truth.shape) == ((3, 32, 32), (3, 32, 32))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_picture_is_normalised_alone_or_with_its_stack(share: float) -> None:
    patient = make_patient(tiny(*PICTURES, f"data.synthetic.single={share}"), 0)
    means = patient.images[1].float().mean((0, 1))
    assert float(patient.images[1].float().mean()) == pytest.approx(0, abs=0.01)
    assert (float(means.abs().max()) < 0.01) == (share == 1.0)


def test_pictures_must_be_of_the_size_that_is_made() -> None:
    with pytest.raises(ConfigError, match=r"must be synthesis\.pictures\.size both ways, 32 by 32"):
        tiny(*PICTURES, "preparation.plane_size=[64,64]")


@pytest.mark.parametrize(("multiple", "size"), [(1, (32, 32)), (24, (48, 48))])
def test_pictures_are_prepared_as_inference_prepares_them(multiple: int, size: tuple[int, int]) -> None:
    """With ``imagenet``, whose three channels belong together, and with padding."""
    preparation = Preparation(
        subject="picture", crop="none", plane_size=(32, 32), normalisation="imagenet", multiple=multiple
    )
    experiment = tiny(*PICTURES)
    pictures = take_pictures(synthesize_patient(0, 0, 6.0), 0, 0, experiment.synthesis.pictures)
    study, modalities = pictures.study(), experiment.data.modalities
    images, _, _ = prepare(study, find_brain(study), modalities, preparation)
    learnt = prepare_pictures(pictures, experiment.data, preparation)
    assert torch.equal(learnt.images, images.half())
    assert learnt.regions.shape[1:3] == size
