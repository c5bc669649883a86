"""From a network's outputs to the probabilities of regions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Target = Literal["regions", "classes"]


def region_probabilities(logits: Tensor, target: Target, axis: int = 0) -> Tensor:
    """Logits with their channels along ``axis`` → float32 probabilities of regions along it.

    ``regions``: a sigmoid each. ``classes``: a softmax over background, necrosis, edema, enhancing; then WT is all but
    the background, TC is necrosis and enhancing, ET enhancing, so that they are nested.
    """
    if target == "regions":
        return logits.float().sigmoid()
    background, necrosis, _, enhancing = logits.float().softmax(axis).unbind(axis)
    return torch.stack([1.0 - background, necrosis + enhancing, enhancing], axis)
