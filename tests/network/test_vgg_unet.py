from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from bratsseg.errors import ModelError
from bratsseg.network import VGGUNetConfig, build_network, encoder_parameters, load_pretrained

SMALL = VGGUNetConfig(encoder_widths=(4, 8, 8, 8, 8), decoder_widths=(8, 8, 8, 4))
CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)}
CONVOLUTIONS |= {17: (256, 512)} | dict.fromkeys((19, 21, 24, 26, 28), (512, 512))
"""Number and channels of the convolutions in torchvision's ``vgg16().features``."""


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the names and shapes of torchvision's vgg16, and other numbers."""
    state = {}
    for n, (channels, width) in CONVOLUTIONS.items():
        state[f"features.{n}.weight"] = torch.full((width, channels, 3, 3), n / 1000)
        state[f"features.{n}.bias"] = torch.full((width,), n / 100)
    state["classifier.6.bias"] = torch.zeros(1000)
    path = tmp_path_factory.mktemp("imagenet") / "vgg16.pth"
    torch.save(state, path)
    return path


def test_logits_fill_the_input_and_each_parameter_has_a_gradient() -> None:
    network = build_network(SMALL)
    logits = network(torch.randn(2, 3, 48, 32))
    assert logits.shape == (2, 1, 48, 32)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_finest_skip_has_full_resolution() -> None:
    network = build_network(SMALL.model_copy(update={"up": "nearest"})).eval()
    picture = torch.zeros(1, 3, 32, 32)
    dotted = picture.clone()
    dotted[..., 5, 5] = 10
    change = (network(dotted) - network(picture)).abs()[0, 0]
    assert change[5, 5] != change[4, 4], "one pixel inside a cell of the next level can be told from its neighbour"


def test_torchvisions_weights_load_under_their_own_names(imagenet: Path) -> None:
    network = build_network(VGGUNetConfig(weights=imagenet, decoder_widths=(8, 8, 8, 8)))
    assert load_pretrained(network) == f"vgg_unet: the encoder starts from {imagenet}"
    given = torch.load(imagenet, weights_only=True)
    found = {name: value for name, value in network.state_dict().items() if name.startswith("features.")}
    assert found.keys() == {name for name in given if name.startswith("features.")}
    assert all(torch.equal(value, given[name]) for name, value in found.items())
    assert len(encoder_parameters(network)) == 26


def test_safetensors_do_as_well(imagenet: Path, tmp_path: Path) -> None:
    save_file(torch.load(imagenet, weights_only=True), tmp_path / "vgg16.safetensors")
    network = build_network(VGGUNetConfig(weights=tmp_path / "vgg16.safetensors", decoder_widths=(8, 8, 8, 8)))
    assert "starts from" in str(load_pretrained(network))
    assert network.state_dict()["features.28.bias"][0] == pytest.approx(0.28)


def test_without_weights_it_says_so() -> None:
    assert "random weights" in str(load_pretrained(build_network(SMALL)))


def test_weights_that_cannot_be_used_are_refused(imagenet: Path, tmp_path: Path) -> None:
    config = VGGUNetConfig(weights=imagenet, batch_norm=True, decoder_widths=(8, 8, 8, 8))
    with pytest.raises(ModelError, match="vgg16_bn"):
        load_pretrained(build_network(config))
    (tmp_path / "not.pth").write_bytes(b"not weights")
    for name in ("not.pth", "absent.pth"):
        broken = config.model_copy(update={"weights": tmp_path / name})
        with pytest.raises(ModelError, match="readable state dict"):
            load_pretrained(build_network(broken))
    with pytest.raises(ValidationError, match="in_channels 3"):
        VGGUNetConfig(weights=imagenet, in_channels=1)


def test_batch_norm_has_torchvisions_numbering() -> None:
    names = build_network(SMALL.model_copy(update={"batch_norm": True})).state_dict()
    assert {"features.0.weight", "features.1.running_mean", "features.40.weight", "features.41.bias"} <= names.keys()


def test_wrong_sides_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="multiples of 16, were \\(32, 40\\)"):
        build_network(SMALL)(torch.randn(1, 3, 32, 40))
