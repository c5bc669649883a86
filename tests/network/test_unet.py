from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from bratsseg.network import UNetConfig, build_network

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


def test_wrong_sides_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="multiples of 4, were \\(16, 18\\)"):
        build_network(SMALL)(torch.randn(1, 4, 16, 18))


def test_one_level_is_refused() -> None:
    with pytest.raises(ValidationError, match="two levels"):
        UNetConfig(widths=(8,))
