"""Pictures for which nobody names a model: the picture model that ships takes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg.study.modality import Modality
from bratsseg.synthesis.contrast import ContrastConfig
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.head import HeadConfig
from bratsseg.synthesis.pictures import PictureConfig, Pictures, take_pictures
from bratsseg.synthesis.tumour import TumourConfig
from tests.flows.conftest import bratsseg, record

CASE = "TCGA_CS_0001_19970101"
FLAIR, T1N, T1C = (list(Modality).index(m) for m in (Modality.FLAIR, Modality.T1N, Modality.T1C))


@pytest.fixture(scope="module")
def taken() -> Pictures:
    """A synthetic head with a large tumour that is bright on FLAIR, in pictures of 128 by 128."""
    tumour = TumourConfig(none=0, edema_only=1, second_focus=0, radius_mm=(30, 30), infratentorial=0)
    how = PictureConfig(spacing_mm=3.0, filled=0, lifted=0, compressed=0, bright=(0.6, 0.6))
    bright = ContrastConfig(low_contrast=0, low_contrast_solid=0, fading=0)
    everything = SynthesisConfig(head=HeadConfig(), tumour=tumour, contrast=bright, pictures=how)
    patient = synthesize_patient(7, 1, 3.0, everything)
    return take_pictures(patient, 7, 1, how)


def eight_bits(taken: Pictures, channels: tuple[int, ...], at: int) -> np.ndarray:
    """(rows, columns, channels) uint8 of one slice."""
    return (taken.images[list(channels), :, :, at] * 255).round().byte().permute(2, 1, 0).numpy()


def largest(taken: Pictures) -> int:
    return int(taken.regions[0].sum((0, 1)).argmax())


def overlap(mask: Path, taken: Pictures, at: int) -> float:
    found, truth = np.asarray(Image.open(mask)) > 0, taken.regions[0, :, :, at].T.numpy()
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def test_a_grey_png_without_a_model_named(taken: Pictures, tmp_path: Path) -> None:
    scan, at = tmp_path / "in" / "anna.png", largest(taken)
    scan.parent.mkdir()
    Image.fromarray(eight_bits(taken, (FLAIR,), at)[..., 0]).save(scan)
    ended = bratsseg("segment", "--flair", scan, tmp_path / "out")
    assert ended.code == 0, ended.err
    assert "model default-picture: every case is a picture" in ended.err
    said = record(tmp_path / "out", "anna")
    assert said["model"]["name"] == "default-picture"
    assert said["facts"]["model_chosen"] == "every case is a picture, and --model names none"
    assert "coverage_percent" in said["facts"]
    assert said["volumes_ml"]["WT"] is None
    assert overlap(tmp_path / "out" / "anna" / next(iter(said["outputs"])), taken, at) > 0.5


def test_slices_of_three_colours_without_a_flag(taken: Pictures, tmp_path: Path) -> None:
    folder, at = tmp_path / "kaggle_3m" / CASE, largest(taken)
    folder.mkdir(parents=True)
    for n, place in enumerate((at - 1, at, at + 1), 1):
        Image.fromarray(eight_bits(taken, (T1N, FLAIR, T1C), place)).save(folder / f"{CASE}_{n}.tif")
    ended = bratsseg("segment", tmp_path / "kaggle_3m", tmp_path / "out")
    assert ended.code == 0, ended.err
    said = json.loads((tmp_path / "out" / CASE / f"{CASE}.json").read_text())
    assert (said["model"]["name"], said["status"]) == ("default-picture", "done")
    masks = sorted(name for name in said["outputs"])
    assert len(masks) == 3
    assert overlap(tmp_path / "out" / CASE / masks[1], taken, at) > 0.5


def test_a_picture_of_another_sequence_is_refused_with_the_need(taken: Pictures, tmp_path: Path) -> None:
    scan = tmp_path / "in" / "anna.png"
    scan.parent.mkdir()
    Image.fromarray(eight_bits(taken, (T1C,), largest(taken))[..., 0]).save(scan)
    ended = bratsseg("segment", "--t1ce", scan, tmp_path / "out")
    assert ended.code == 1
    assert "needs FLAIR, the study has T1ce" in record(tmp_path / "out", "anna")["reason"]


def test_a_model_that_is_named_is_the_one_that_is_used(taken: Pictures, tmp_path: Path) -> None:
    scan = tmp_path / "in" / "anna.png"
    scan.parent.mkdir()
    Image.fromarray(eight_bits(taken, (FLAIR,), largest(taken))[..., 0]).save(scan)
    ended = bratsseg("segment", "--flair", scan, "--model", "default", tmp_path / "out")
    assert ended.code == 1
    assert "give --model default-picture" in record(tmp_path / "out", "anna")["reason"]
