from __future__ import annotations

import pytest
import torch

from bratsseg.errors import UsageError
from bratsseg.inference.runtime import Runtime


def test_group_norm_over_a_large_volume_is_exact_in_float32():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv3d(2, 8, 3, padding=1), torch.nn.GroupNorm(4, 8))
    image = torch.rand(1, 2, 112, 112, 96)
    image[..., :40] = 0
    with torch.inference_mode():
        exact = network.double()(image.double())
        found = Runtime("cpu", None).place(network.float())(image)
    assert float((found - exact).abs().max()) < 5e-6


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:0", "gpu"])
def test_a_machine_without_a_gpu_says_so(wanted: str):
    with pytest.raises(UsageError, match="must be auto or cpu, for no GPU is at hand"):
        Runtime.choose(wanted)


def test_on_a_gpu_no_shape_is_tried_out_before_it_is_run(monkeypatch):
    """Training may have turned cuDNN's trials on; they would cost a second for every brain box."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    Runtime("cpu", None).expect_any_shape()
    assert torch.backends.cudnn.benchmark
    Runtime("cuda:0", torch.float16).expect_any_shape()
    assert not torch.backends.cudnn.benchmark
