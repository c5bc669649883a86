"""Averaged weights: the exponential moving average of a network in training (Polyak averaging)."""

from __future__ import annotations

import copy
from itertools import compress

import torch
from torch import Tensor, nn


class AverageWeights:
    """``network`` follows the trained one; it stays in eval mode, needs no gradient, and is what gets released.

    After step n (1 first) the average moves by 1 - min(``decay``, (1 + n) / (10 + n)) towards the trained weights, so
    that early steps average over fewer (as ``tf.train.ExponentialMovingAverage`` with ``num_updates``). Running
    statistics of batch norm are averaged likewise, counters are copied. ``decay`` 0 copies the trained network.
    Register ``network`` in the training module, so that it moves to its device.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards ``network``, which has just taken optimiser step ``step``."""
        decay = min(self._decay, (1 + step) / (10 + step))
        mean, now = _values(self.network), _values(network)
        floats = [value.is_floating_point() for value in mean]
        torch._foreach_lerp_(list(compress(mean, floats)), list(compress(now, floats)), 1 - decay)
        counters = [not one for one in floats]
        if any(counters):
            torch._foreach_copy_(list(compress(mean, counters)), list(compress(now, counters)))

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged network's state, under the network's own names."""
        return dict(self.network.state_dict())

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state; RuntimeError when it is of another network."""
        self.network.load_state_dict(state)


def _values(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
