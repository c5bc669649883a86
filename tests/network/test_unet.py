from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from bratsseg.inference.model import ModelFolder
from bratsseg.network import UNetConfig, build_network, unet
from bratsseg.network.blocks import depth_to_space, space_to_depth

SMALL = UNetConfig(in_channels=4, widths=(8, 16, 24))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("residual", [False, True])
def test_logits_have_the_inputs_space(dims: int, residual: bool) -> None:
    network = build_network(SMALL.model_copy(update={"dims": dims, "residual": residual}))
    assert network(torch.randn(2, 4, *[8, 12, 16][:dims])).shape == (2, 3, *[8, 12, 16][:dims])


def test_eval_is_the_same_whoever_shares_the_batch() -> None:
    network = build_network(SMALL).eval()
    pictures = torch.randn(3, 4, 16, 16)
    torch.testing.assert_close(network(pictures)[:1], network(pictures[:1]))


def test_deep_supervision_only_in_training() -> None:
    network = build_network(SMALL.model_copy(update={"deep_supervision": True}))
    shapes = [tuple(level.shape) for level in network.train()(torch.randn(2, 4, 16, 16))]
    assert shapes == [(2, 3, 16, 16), (2, 3, 8, 8)]
    assert network.eval()(torch.randn(2, 4, 16, 16)).shape == (2, 3, 16, 16)


def test_every_parameter_gets_a_gradient() -> None:
    network = build_network(SMALL.model_copy(update={"residual": True}))
    network(torch.randn(2, 4, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("up", ["nearest", "transposed"])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_level_in_parts_equals_the_whole(dims: int, up: str, parts: int) -> None:
    """On any device; a GPU takes wide levels so."""
    network = build_network(SMALL.model_copy(update={"dims": dims, "up": up, "residual": True})).eval()
    low, skip = torch.randn(1, 16, *[5, 4, 3][:dims]), torch.randn(1, 8, *[10, 8, 6][:dims])
    upsample, block = network.upsample[-1], network.up[-1]
    with torch.inference_mode():
        whole = unet._expanded(block, upsample, low, skip, 1)
        torch.testing.assert_close(unet._expanded(block, upsample, low, skip, parts), whole)
        picture = torch.randn(1, 4, *[10, 8, 6][:dims])
        torch.testing.assert_close(unet._contracted(network.down[0], picture, parts), network.down[0](picture))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_takes_a_wide_level_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_network(SMALL.model_copy(update={"dims": 3})).eval().cuda()
    picture = torch.randn(1, 4, 32, 24, 16, device="cuda")
    with torch.inference_mode():
        whole = network(picture)
        monkeypatch.setattr(unet, "MOST_ELEMENTS", 40_000)
        torch.testing.assert_close(network(picture), whole, atol=1e-4, rtol=1e-3)


def test_wrong_sides_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="multiples of 4, were \\(16, 18\\)"):
        build_network(SMALL)(torch.randn(1, 4, 16, 18))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("up", ["nearest", "linear", "transposed"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_every_norm_and_way_up_trains(dims: int, up: str, norm: str) -> None:
    network = build_network(SMALL.model_copy(update={"dims": dims, "up": up, "norm": norm}))
    logits = network(torch.randn(2, 4, *[8] * dims))
    assert logits.shape == (2, 3, *[8] * dims)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_blocks_of_voxels_become_channels_and_back() -> None:
    pictures, volumes = torch.randn(2, 3, 8, 12), torch.randn(2, 3, 4, 8, 12)
    assert torch.equal(space_to_depth(pictures, 2), F.pixel_unshuffle(pictures, 2))
    assert torch.equal(depth_to_space(space_to_depth(pictures, 4), 4), pictures)
    folded = space_to_depth(volumes, 2)
    assert torch.equal(folded[:, 8:16, 1, 2, 3].reshape(2, 2, 2, 2), volumes[:, 1, 2:4, 4:6, 6:8])
    assert torch.equal(depth_to_space(folded, 2), volumes)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_folded_network_keeps_the_resolution(dims: int) -> None:
    config = SMALL.model_copy(update={"dims": dims, "space_to_depth": 2, "deep_supervision": True})
    assert config.multiple == 8
    network = build_network(config)
    sides = [16, 24, 8][:dims]
    levels = network.train()(torch.randn(2, 4, *sides))
    assert [tuple(level.shape[2:]) for level in levels] == [tuple(sides), tuple(side // 4 for side in sides)]
    assert all(level.shape[1] == 3 for level in levels)
    sum(level.square().sum() for level in levels).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    with pytest.raises(ValueError, match="multiples of 8"):
        network(torch.randn(1, 4, *[12] * dims))


def test_only_instance_norm_depends_on_what_else_is_seen() -> None:
    picture = torch.randn(1, 4, 64, 16)
    for norm, same in (("batch", True), ("none", True), ("instance", False)):
        config = SMALL.model_copy(update={"norm": norm})
        network = build_network(config).eval()
        part, whole = network(picture[:, :, :48]), network(picture)
        assert config.one_pass is same
        assert torch.allclose(part[:, :, :16], whole[:, :, :16], atol=1e-5) is same


def test_dropout_is_for_training_only() -> None:
    network, pictures = build_network(SMALL.model_copy(update={"dropout": 0.5})), torch.randn(2, 4, 16, 16)
    assert not torch.equal(network.train()(pictures), network(pictures))
    assert torch.equal(network.eval()(pictures), network(pictures))


def test_the_shipped_models_logits_have_not_moved() -> None:
    # Computed when version 4 was released.
    network = ModelFolder.find("default").networks()[0]
    pictures = torch.randn(1, 20, 32, 48, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        logits = network(pictures)
    torch.testing.assert_close(logits[0, :, 10, 20], torch.tensor([-6.179927, -8.441958, -7.118770]))
    torch.testing.assert_close(logits[0, :, 31, 0], torch.tensor([-5.207282, -7.933475, -6.677226]))
    assert logits.double().sum().item() == pytest.approx(-30645.623, rel=1e-5)
    assert logits.double().square().sum().item() == pytest.approx(210874.601, rel=1e-5)


def test_one_level_is_refused() -> None:
    with pytest.raises(ValidationError, match="two levels"):
        UNetConfig(widths=(8,))
