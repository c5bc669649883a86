from __future__ import annotations

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bratsseg.errors import ContentError, ModalityMissing, ModelError, UsageError
from bratsseg.inference import Segmenter, released_models
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.passes import SlabPass, WholePass, WindowPass, run_pass
from bratsseg.inference.shipped import SHIPPED
from bratsseg.network import UNetConfig, build_network
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study, Volume
from tests.conftest import make_study

UNET = {"name": "unet", "dims": 2, "in_channels": 12, "out_channels": 3, "widths": [4, 8]}


@pytest.fixture
def small_model(tmp_path):
    """A released 2.5-D model of all four modalities with random weights."""
    import hashlib

    torch.manual_seed(0)
    folder = tmp_path / "small"
    folder.mkdir()
    network = build_network(UNetConfig(**UNET))
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / "weights.safetensors")
    description = {
        "name": "small",
        "version": "1",
        "summary": "for tests",
        "licence": "Apache-2.0",
        "modalities": ["flair", "t1n", "t1c", "t2w"],
        "regions": ["WT", "TC", "ET"],
        "needs": {"WT": [["flair"], ["t2w"]], "TC": [["t1c"]], "ET": [["t1c"]]},
        "network": UNET,
        "preparation": {"spacing_mm": 3.0, "multiple": 2},
        "passes": {"kind": "slabs", "slices": 3, "planes": [0, 1, 2]},
        "decoding": {"smallest_wt_ml": 0.0, "confidence": 0.0},
        "weights": [
            {
                "file": "weights.safetensors",
                "sha256": hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest(),
            }
        ],
    }
    (folder / "model.json").write_text(json.dumps(description))
    return folder


def test_every_shipped_model_loads_and_says_what_it_is():
    models = released_models()
    assert "flair-threshold" in [model.description.name for model in models]
    for model in models:
        assert model.folder.name == model.description.name
        assert len(model.sha256) == 64
        assert "research use" in model.card.lower()
        assert model.networks()


def test_the_baseline_marks_the_lesion_and_says_its_limits():
    study = make_study()
    result = Segmenter.load("flair-threshold", "cpu").segment(study)
    lesion = study.volumes[Modality.FLAIR].voxels > 150
    found = result.label_map.region(Region.WT)
    assert 2 * (lesion & found).sum() / (lesion.sum() + found.sum()) > 0.95
    assert set(result.not_assessable) == {Region.TC, Region.ET}
    assert result.label_map.volume_ml(Region.WT) == pytest.approx(found.sum() * 0.008)
    assert result.label_map.volume_ml(Region.ET) is None
    assert result.probability(Region.WT)[lesion].min() > 0.5


def test_a_model_without_its_modality_refuses_with_what_it_needs():
    with pytest.raises(ModalityMissing, match=r"round-head.*needs FLAIR.*has T1ce"):
        Segmenter.load("flair-threshold").segment(make_study((Modality.T1C,)))


def test_a_region_whose_modality_is_missing_is_not_assessable(small_model):
    result = Segmenter.load(small_model).segment(make_study((Modality.FLAIR,)))
    assert result.not_assessable == {Region.TC: "needs T1ce", Region.ET: "needs T1ce"}
    assert not result.label_map.region(Region.ET).any()


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIL", "SAR"])
def test_the_answer_does_not_depend_on_how_the_voxels_are_stored(small_model, codes):
    study = make_study(tuple(Modality), affine=np.diag([2.0, 2.0, 2.0, 1.0]))
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
    )
    turned = {}
    for modality, volume in study.volumes.items():
        image = nib.Nifti1Image(volume.voxels, volume.grid.affine).as_reoriented(turn)
        turned[modality] = Volume(np.asarray(image.dataobj), Grid.of(image.shape, image.affine))
    segmenter = Segmenter.load(small_model, "cpu")
    straight = segmenter.segment(study).label_map
    other = segmenter.segment(Study("turned", turned)).label_map
    for region in Region:
        back = nib.as_closest_canonical(nib.Nifti1Image(other.region(region).astype(np.uint8), other.grid.affine))
        assert np.array_equal(np.asarray(back.dataobj) > 0, straight.region(region))


def test_weights_that_were_changed_are_refused(small_model):
    weights = small_model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"oops")
    with pytest.raises(ModelError, match="sha256"):
        Segmenter.load(small_model)


def test_weights_outside_the_folder_are_refused(small_model):
    description = json.loads((small_model / "model.json").read_text())
    shutil.copy(small_model / "weights.safetensors", small_model.parent / "weights.safetensors")
    description["weights"][0]["file"] = "../weights.safetensors"
    (small_model / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match="must lie beside"):
        Segmenter.load(small_model)


def test_the_hash_follows_description_and_weights(small_model):
    before = ModelFolder(small_model).sha256
    text = (small_model / "model.json").read_text()
    (small_model / "model.json").write_text(text.replace('"confidence": 0.0', '"confidence": 0.1'))
    assert ModelFolder(small_model).sha256 != before


def test_an_unknown_key_in_a_description_is_refused(small_model):
    text = (small_model / "model.json").read_text()
    (small_model / "model.json").write_text(text.replace('"version"', '"vresion": "1", "version"'))
    with pytest.raises(ModelError, match="vresion"):
        Segmenter.load(small_model)


def test_a_folder_does_not_stand_in_for_a_shipped_model(small_model, monkeypatch):
    """Even one that is called like it."""
    shutil.copytree(small_model, small_model.parent / "flair-threshold")
    monkeypatch.chdir(small_model.parent)
    assert Segmenter.load("flair-threshold").model.name == "flair-threshold"
    assert Segmenter.load("./flair-threshold").model.name == "small"


def test_an_unknown_model_lists_the_shipped_ones():
    with pytest.raises(ModelError, match="flair-threshold"):
        Segmenter.load("no-such-model")


def test_an_unknown_device_is_wrong_use():
    with pytest.raises(UsageError, match=r"must be auto.*(cuda:N|no GPU)"):
        Segmenter.load("flair-threshold", "cuda:99")


def test_slabs_of_one_slice_equal_the_network_run_slice_by_slice():
    torch.manual_seed(0)
    images = torch.rand(2, 6, 8, 4)
    network = torch.nn.Conv2d(2, 3, 3, padding=1)
    with torch.inference_mode():
        logits, _ = run_pass(network, images, SlabPass(slices=1, planes=(2,), batch=3))
        by_hand = torch.stack([network(images[None, :, :, :, k])[0] for k in range(4)], -1)
    assert torch.allclose(logits, by_hand, atol=1e-6)


def test_a_mirrored_pass_answers_a_head_and_its_mirror_alike():
    torch.manual_seed(0)
    images, network = torch.rand(2, 6, 8, 4), torch.nn.Conv2d(2, 3, 3, padding=1)
    mirrored = SlabPass(slices=1, mirrored=(0,))
    with torch.inference_mode():
        plain, _ = run_pass(network, images, SlabPass(slices=1))
        logits, how = run_pass(network, images, mirrored)
        other, _ = run_pass(network, images.flip(1), mirrored)
    assert "mirrored along [0]" in how
    assert torch.allclose(logits, other.flip(1), atol=1e-6)
    assert not torch.allclose(logits, plain, atol=1e-3)


def test_a_box_too_large_falls_back_to_windows_and_says_so():
    """Above the tested size."""
    torch.manual_seed(0)
    images, network = torch.rand(1, 16, 16, 16), torch.nn.Conv3d(1, 2, 1)
    with torch.inference_mode():
        whole, how = run_pass(network, images, WholePass())
        small = WholePass(largest_voxels=100, fallback=WindowPass(size=(8, 8, 8)))
        windows, why = run_pass(network, images, small)
    assert how == "whole"
    assert "exceeds" in why
    assert torch.allclose(whole, windows, atol=1e-5)


def test_out_of_memory_falls_back_to_windows_and_says_so():
    conv = torch.nn.Conv3d(1, 2, 1)

    def greedy(images):
        if images.shape[-1] > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return conv(images)

    with torch.inference_mode():
        logits, how = run_pass(greedy, torch.rand(1, 16, 16, 16), WholePass(fallback=WindowPass(size=(8, 8, 8))))
    assert "not enough memory" in how
    assert logits.shape == (2, 16, 16, 16)


def test_models_ship_inside_the_package():
    assert (SHIPPED / "flair-threshold" / "model.json").is_file()


def test_a_voxel_that_is_no_number_is_refused_and_not_answered():
    study = make_study()
    voxels = study.volumes[Modality.FLAIR].voxels.astype(np.float32)
    voxels[20, 20, 20] = np.nan
    spoilt = Volume(voxels, study.reference.grid)
    with pytest.raises(ContentError, match="FLAIR: every voxel must be a number"):
        Segmenter.load("flair-threshold", "cpu").segment(Study("P1", study.volumes | {Modality.FLAIR: spoilt}))
