from __future__ import annotations

import json

import pytest
import torch
from typer.testing import CliRunner

from bratsseg.errors import ModelError, UsageError
from bratsseg.exchange.foreign.monai_bundle import export_monai_bundle
from bratsseg.inference import Segmenter
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.passes import run_pass
from bratsseg.study.modality import Modality
from tests.conftest import make_study
from tests.exchange.made import random_model


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load(bundle):
    """The network and the inferer as MONAI makes them from the bundle alone."""
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.read_meta(str(bundle / "configs" / "metadata.json"))
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True))
    return network.eval(), parser.get_parsed_content("inferer")


@pytest.mark.parametrize("folds", [1, 2])
def test_the_loaded_bundle_gives_the_logits_of_the_model(tmp_path, folds):
    folder = random_model(tmp_path / "model", folds)
    export_monai_bundle(folder, tmp_path / "bundle")
    network, inferer = load(tmp_path / "bundle")
    slab = torch.rand(2, 12, 16, 24)
    ours = ModelFolder.find(folder).networks()
    with torch.inference_mode():
        expected = torch.stack([one(slab) for one in ours]).mean(0)
        assert torch.equal(network(slab), expected)
        # The whole study too, in float32: `Segmenter.run` may compute in bfloat16.
        segmenter = Segmenter.load(folder, "cpu")
        images = segmenter.prepare(make_study(tuple(Modality), shape=(24, 28, 22))).images
        expected = torch.stack([run_pass(one, images, segmenter.model.passes)[0] for one in ours]).mean(0)
        assert torch.allclose(inferer(images[None], network)[0], expected, atol=1e-6)


def test_a_rule_without_weights_can_be_exported_too(tmp_path):
    export_monai_bundle("flair-threshold", tmp_path / "bundle")
    network, inferer = load(tmp_path / "bundle")
    images = torch.rand(1, 1, 4, 5, 6) * 3
    assert torch.equal(inferer(images, network), images - 1.0)
    meta = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text())
    assert meta["network_data_format"]["inputs"]["image"]["channel_def"] == {"0": "FLAIR"}
    assert "research use" in (tmp_path / "bundle" / "docs" / "README.md").read_text().lower()
    assert "Apache-2.0" in (tmp_path / "bundle" / "LICENSE").read_text()


def test_equal_models_give_equal_bundles(tmp_path):
    folder = random_model(tmp_path / "model")
    one, two = (export_monai_bundle(folder, tmp_path / name) for name in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_wrong_use_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ModelError, match="flair-threshold"):
        export_monai_bundle("no-such-model", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    with pytest.raises(UsageError, match="new or an empty folder"):
        export_monai_bundle("flair-threshold", tmp_path / "full")


def test_the_verb_lists_what_it_wrote(tmp_path):
    import typer

    from bratsseg.cli.export import export

    app = typer.Typer()
    app.command()(export)
    result = CliRunner().invoke(app, ["flair-threshold", str(tmp_path / "b"), "--format", "monai-bundle"])
    assert result.exit_code == 0
    assert "configs/metadata.json" in result.output
    assert "pip install bratsseg pytorch-ignite fire" in result.output
    needed = json.loads((tmp_path / "b" / "configs" / "metadata.json").read_text())["required_packages_version"]
    assert {"pytorch-ignite", "fire"} <= needed.keys()
    assert CliRunner().invoke(app, ["flair-threshold", str(tmp_path / "c"), "--format", "onnx"]).exit_code == 2
