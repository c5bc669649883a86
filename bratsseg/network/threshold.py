"""The honest baseline as a network: one channel above a threshold. No weights, nothing learnt."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from bratsseg.config import Config
from bratsseg.network.blocks import NormOver


class ThresholdConfig(Config):
    """Marks voxels of one channel above a value; every claim about a trained model has this row to beat."""

    name: Literal["threshold"] = "threshold"
    channel: int = 0
    """Input channel that is looked at."""
    above: float = 1.0
    """The value, in standard deviations over the brain where the input is z-scored."""

    @property
    def dims(self) -> int:
        """Volumes; pictures do as well."""
        return 3

    @property
    def in_channels(self) -> int:
        """As many channels as it needs to have the one it looks at."""
        return self.channel + 1

    @property
    def out_channels(self) -> int:
        """One logit map."""
        return 1

    @property
    def multiple(self) -> int:
        """Any side will do."""
        return 1

    @property
    def one_pass(self) -> bool:
        """Every voxel stands alone."""
        return True

    @property
    def norm_over(self) -> NormOver:
        """What the statistics of a norm are taken over in training."""
        return "nothing"


class Threshold(nn.Module):
    """Logits (N, 1, …) that are positive where the channel of (N, C, …) exceeds the value."""

    def __init__(self, config: ThresholdConfig) -> None:
        super().__init__()
        self.channel, self.above = config.channel, config.above

    def forward(self, images: Tensor) -> Tensor:
        """Logits: how far the channel lies above the value."""
        return images[:, self.channel : self.channel + 1] - self.above
