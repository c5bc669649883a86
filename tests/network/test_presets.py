from __future__ import annotations

import pytest
import torch

from bratsseg.network import AnyNetworkConfig, SegResNetConfig, SwinUNETRConfig, build_network, encoder_parameters
from bratsseg.network.presets import PRESETS

PARAMETERS = {"lgg_unet": 31_037_633, "swin_unetr": 62_191_941}
"""As published of the U-Net 64 to 1024 with batch norm and transposed convolutions, and of SwinUNETR 48."""


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_at_full_size_and_has_an_encoder(name: str) -> None:
    with torch.device("meta"):
        network = build_network(PRESETS[name])
    total = sum(p.numel() for p in network.parameters())
    assert total == PARAMETERS.get(name, total)
    encoder = sum(p.numel() for p in encoder_parameters(network))
    assert 0.05 * total < encoder < 0.95 * total


@pytest.mark.parametrize(
    "config",
    [
        SegResNetConfig(init_filters=8, blocks_down=(1, 1), blocks_up=(1,)),
        SegResNetConfig(init_filters=4, blocks_down=(1, 1), blocks_up=(1,), norm="batch"),
        SwinUNETRConfig(dims=2, feature_size=12, in_channels=2, out_channels=4),
    ],
)
def test_monais_networks_run_on_the_smallest_sides_they_state(config: AnyNetworkConfig) -> None:
    side = 2 * config.multiple
    pictures = torch.randn(1, config.in_channels, *[side] * config.dims)
    network = build_network(config)
    assert network(pictures).shape == (1, config.out_channels, *pictures.shape[2:])


def test_the_bundles_names_are_kept() -> None:
    with torch.device("meta"):
        names = build_network(PRESETS["bundle_segresnet"]).state_dict()
    assert {"convInit.conv.weight", "down_layers.3.4.conv2.conv.weight", "conv_final.2.conv.bias"} <= names.keys()


def test_one_pass_is_said_of_those_whose_statistics_are_fixed() -> None:
    assert PRESETS["lgg_unet"].one_pass
    assert not PRESETS["bundle_segresnet"].one_pass
    assert not PRESETS["swin_unetr"].one_pass
    assert SegResNetConfig(norm="batch").one_pass
