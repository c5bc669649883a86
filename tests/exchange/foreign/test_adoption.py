"""A network trained elsewhere segments here as it did there; what its weights cannot say is asked for."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from bratsseg.errors import ConfigError, ModelError
from bratsseg.exchange.foreign.adoption import ForeignModel, adopt
from bratsseg.exchange.foreign.weights import read_weights
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.runtime import Runtime
from bratsseg.inference.segmenter import Segmenter
from bratsseg.network import SegResNetConfig, SwinUNETRConfig, build_network
from bratsseg.study.brain import find_brain
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from bratsseg.study.regions import Region
from tests.conftest import make_study
from tests.flows.conftest import bratsseg

CHANNELS = (Modality.T1C, Modality.T1N, Modality.T2W, Modality.FLAIR)
SMALL = {"blocks_down": [1, 1, 1], "blocks_up": [1, 1], "init_filters": 8}
# As the bundle brats_mri_segmentation of MONAI's model zoo, but for sizes.
INFERENCE = {
    "network_def": {"_target_": "SegResNet", **SMALL, "in_channels": 4, "out_channels": 3, "dropout_prob": 0.2},
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True},
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [40, 40, 48], "sw_batch_size": 1, "overlap": 0.5},
}
METADATA = {
    "version": "0.5.3",
    "description": "A model for tumour regions",
    "image_classes": "4 channel data, T1c, T1, T2, FLAIR at 1x1x1 mm",
    "eval_metrics": {"val_mean_dice": 0.85},
    "network_data_format": {
        "inputs": {"image": {"channel_def": {"0": "T1c", "1": "T1", "2": "T2", "3": "FLAIR"}}},
        "outputs": {"pred": {"channel_def": {"0": "Tumor core", "1": "Whole tumor", "2": "Enhancing tumor"}}},
    },
}


def segresnet(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_network(SegResNetConfig.model_validate(SMALL)).eval()


def bundle(folder: Path, **inference: object) -> Path:
    """A bundle as MONAI's model zoo packs it."""
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "metadata.json").write_text(json.dumps(METADATA))
    (folder / "configs" / "inference.json").write_text(json.dumps({**INFERENCE, **inference}))
    torch.save(segresnet().state_dict(), folder / "models" / "model.pt")
    return folder


def study_files(folder: Path) -> dict[Modality, Path]:
    """Four scans at 1 mm that point LPS, as BraTS stores them."""
    study = make_study(tuple(Modality), shape=(52, 44, 46), affine=np.diag([-1.0, -1.0, 1.0, 1.0]))
    names = {Modality.FLAIR: "flair", Modality.T1N: "t1", Modality.T1C: "t1ce", Modality.T2W: "t2"}
    files = {modality: folder / "P1" / f"P1_{names[modality]}.nii.gz" for modality in Modality}
    (folder / "P1").mkdir(parents=True)
    for modality, path in files.items():
        nib.save(nib.Nifti1Image(study.volumes[modality].voxels, study.reference.grid.affine), path)
    return files


def as_monai_infers(root: Path, files: dict[Modality, Path]) -> np.ndarray:
    """Logits TC, WT, ET (3, I, J, K) in the file's frame, by MONAI's parser of the bundle's own configs."""
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "inference.json"))
    parser.parse()
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(root / "models" / "model.pt", weights_only=True))
    image = parser.get_parsed_content("preprocessing")({"image": [str(files[modality]) for modality in CHANNELS]})
    with torch.no_grad():
        return np.asarray(parser.get_parsed_content("inferer")(image["image"][None], network)[0])


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_a_bundles_network_segments_as_monai_does(tmp_path):
    """On the same scans."""
    root, files = bundle(tmp_path / "brats_mri_segmentation"), study_files(tmp_path / "scans")
    study = read_study(find_cases(tmp_path / "scans")[0])
    brain = find_brain(study).mask  # what lies outside the brain is not reported here
    logits = as_monai_infers(root, files)
    levels = [np.quantile(channel[brain], level) for channel, level in zip(logits, (0.7, 0.5, 0.8), strict=True)]
    state = segresnet().state_dict()
    state["conv_final.2.conv.bias"] -= torch.tensor(levels)  # so that every region is found in some part of the brain
    torch.save(state, root / "models" / "model.pt")
    core, whole, enhancing = as_monai_infers(root, files) > 0
    theirs = np.stack([whole | core | enhancing, core | enhancing, enhancing]) & brain  # its rule of decoding
    ended = bratsseg("models", "add", root, "--as", "zoo", "--out", tmp_path / "zoo")
    assert ended.code == 0, ended
    ours = Segmenter(ModelFolder.find(tmp_path / "zoo"), Runtime("cpu", None)).segment(study).label_map.regions
    for channel, region in enumerate(Region):
        assert 0.1 < theirs[channel].sum() / brain.sum() < 0.9
        assert dice(ours[channel], theirs[channel]) >= 0.999, region


def test_a_bundle_is_the_same_in_a_zip(tmp_path):
    root = bundle(tmp_path / "brats_mri_segmentation")
    folder = read_weights(root)
    packed = read_weights(Path(shutil.make_archive(str(tmp_path / "b"), "zip", tmp_path, root.name)))
    for name in ("sha256", "channels", "outputs", "spacing_mm", "windows", "version", "facts"):
        assert getattr(packed, name) == getattr(folder, name), name


def test_what_the_bundle_says_is_in_the_model_and_on_its_card(tmp_path):
    adopt(read_weights(bundle(tmp_path / "b")), ForeignModel("zoo"), tmp_path / "zoo")
    folder = ModelFolder.find(tmp_path / "zoo")
    model = folder.description
    assert model.modalities == CHANNELS
    assert (model.version, model.summary) == ("0.5.3", "A model for tumour regions")
    assert (model.preparation.spacing_mm, model.preparation.orientation) == (1.0, "LPS")
    assert (model.passes.size, model.passes.overlap) == ((40, 40, 48), 0.5)
    assert model.needs[Region.WT] == (CHANNELS,)
    assert model.trained["eval_metrics"] == {"val_mean_dice": 0.85}
    assert "its outputs were TC, WT, ET and are WT, TC, ET here" in folder.card


def test_bare_weights_are_asked_for_the_order_of_their_channels(tmp_path):
    torch.save({"epoch": 3, "state_dict": segresnet().state_dict()}, tmp_path / "a.pt")
    asked = bratsseg("models", "add", tmp_path / "a.pt", "--as", "mine", "--out", tmp_path / "mine")
    assert asked.code == 2
    assert "name them with --channels, such as t1ce,t1,t2,flair" in asked.err
    assert not (tmp_path / "mine").exists()
    told = ("--channels", "t1ce,t1,t2,flair", "--network", "segresnet")
    ended = bratsseg("models", "add", tmp_path / "a.pt", "--as", "mine", "--out", tmp_path / "mine", *told)
    assert ended.code == 0, ended
    assert "taken to be TC, WT, ET" in ended.out
    assert bratsseg("models", tmp_path / "mine").code == 0


def test_outputs_are_put_into_our_order_once(tmp_path):
    network = segresnet()
    torch.save(network.state_dict(), tmp_path / "a.pt")
    foreign = ForeignModel("mine", CHANNELS, (Region.ET, Region.WT, Region.TC))
    adopt(read_weights(tmp_path / "a.pt"), foreign, tmp_path / "mine")
    (adopted,) = ModelFolder.find(tmp_path / "mine").networks()
    image = torch.rand(1, 4, 16, 16, 16)
    with torch.no_grad():
        assert torch.equal(adopted(image), network(image)[:, [1, 2, 0]])


def test_swin_unetr_is_known_by_its_weights_too(tmp_path):
    config = SwinUNETRConfig(in_channels=4, feature_size=12, depths=(1, 1, 1, 1))
    torch.save({f"module.{key}": value for key, value in build_network(config).state_dict().items()}, tmp_path / "a.pt")
    model = adopt(read_weights(tmp_path / "a.pt"), ForeignModel("swin", CHANNELS), tmp_path / "swin").model
    assert model.network.model_copy(update={"dropout": 0.0}) == config
    assert len(ModelFolder.find(tmp_path / "swin").networks()) == 1


class Runs:
    """What a malicious file would hold."""

    def __reduce__(self):
        return (Path.touch, (Path("run-by-loading"),))


def test_nothing_in_a_file_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Runs()}, "a.pt")
    Path("b.pt").write_bytes(pickle.dumps(Runs()))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(ModelError, match="nothing that has to be run"):
            read_weights(Path(name))
    assert not Path("run-by-loading").exists()


def test_what_cannot_be_adopted_is_refused_with_the_reason(tmp_path):
    state = segresnet().state_dict()

    def refused(match: str, foreign: ForeignModel | None = None, **changed: object) -> None:
        torch.save({key: value for key, value in {**state, **changed}.items() if value is not None}, tmp_path / "a.pt")
        with pytest.raises((ModelError, ConfigError), match=match):
            adopt(read_weights(tmp_path / "a.pt"), foreign or ForeignModel("m", CHANNELS), tmp_path / "m")
        assert not (tmp_path / "m").exists()

    refused("must hold the weights of segresnet or swin_unetr", **{"convInit.conv.weight": None})
    refused(
        "must hold the weights of swin_unetr, looks like segresnet", ForeignModel("m", CHANNELS, network="swin_unetr")
    )
    refused("does not fit segresnet", **{"conv_final.2.conv.bias": torch.zeros(7)})
    refused("holds NaN", **{"conv_final.2.conv.bias": torch.tensor([0.0, float("nan"), 0.0])})
    refused("4 input channels must be known", ForeignModel("m", CHANNELS[:3]))
    refused("3 outputs must be known", ForeignModel("m", CHANNELS, (Region.WT, Region.ET)))
    refused("that no shipped model has", ForeignModel("default", CHANNELS))
    with pytest.raises(ConfigError, match="leave the flag out"):
        adopt(read_weights(bundle(tmp_path / "b")), ForeignModel("m", tuple(Modality)), tmp_path / "m")


def test_a_bundle_that_prepares_scans_otherwise_is_refused(tmp_path):
    steps = [{"_target_": "LoadImaged", "keys": "image"}, {"_target_": "ScaleIntensityd", "keys": "image"}]
    bundle(tmp_path / "b", preprocessing={"_target_": "Compose", "transforms": steps})
    with pytest.raises(ModelError, match="ScaleIntensityd"):
        read_weights(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("x/configs/metadata.json", "{}")
    with pytest.raises(ModelError, match="must be a MONAI bundle"):
        read_weights(tmp_path / "c.zip")
    with pytest.raises(ModelError, match="does not exist"):
        read_weights(tmp_path / "d.pt")
