from __future__ import annotations

import torch

from bratsseg.inference.probabilities import region_probabilities


def test_regions_are_a_sigmoid_each():
    logits = torch.tensor([0.0, 2.0, -2.0]).view(3, 1, 1, 1)
    assert torch.allclose(region_probabilities(logits, "regions"), torch.sigmoid(logits))


def test_classes_become_nested_regions():
    shares = torch.tensor([0.4, 0.1, 0.2, 0.3])
    found = region_probabilities(shares.log().view(1, 4, 1, 1), "classes", axis=1)
    assert torch.allclose(found.flatten(), torch.tensor([0.6, 0.4, 0.3]), atol=1e-6)
