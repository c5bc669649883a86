"""What a reader would draw around a tumour: not the half-way line, but where the scan first looks abnormal, smoothly.

Measured on nine public cases: FLAIR has risen by a fifth of the way to edema in the voxel (1.5 mm) outside the
reference and by two thirds in the one inside it, and goes on rising for 4 mm. A network that is taught the half-way
line marks every one of those cases too small.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bratsseg.config import Config
from bratsseg.synthesis.draws import Draws, Lattice
from bratsseg.synthesis.reader import Reader
from bratsseg.synthesis.tumour import Tumour


class OutlineConfig(Config):
    """How references are drawn."""

    level: tuple[float, float] = (0.15, 0.4)
    """Membership of whole tumour where its outline passes; .5 is half-way. One for each patient: readers differ."""
    smoothing_mm: tuple[float, float] = (0.6, 2.2)
    """Sd of the Gaussian that smooths it: references cut across the fingers of edema and include narrow sulci."""


def draw_reader(draws: Draws, config: OutlineConfig) -> Reader:
    """Draw where one patient's outline will pass."""
    return Reader(draws.uniform(config.level), draws.uniform(config.smoothing_mm))


def outline(reader: Reader, tumour: Tumour, fluid: Tensor, lattice: Lattice) -> Tensor:
    """Regions (3, I, J, K) bool, nested WT, TC, ET; wide spaces of ``fluid`` (I, J, K) 0..1 stay outside."""
    core, enhancing = tumour.core > 0.5, tumour.enhancing > 0.5
    if not tumour.present:
        return torch.stack([torch.zeros_like(core), core, enhancing])
    sd = reader.smoothing_mm / lattice.spacing_mm
    cut = smoothed(tumour.whole, sd) > reader.level if tumour.outlined is None else tumour.outlined
    whole = cut & ~((smoothed(fluid, sd) > 0.5) & (tumour.whole < 0.5))
    return torch.stack([whole | core, core, enhancing])


def smoothed(volume: Tensor, sd: float) -> Tensor:
    """``volume`` (I, J, K) after a Gaussian of ``sd`` voxels; outside is 0.

    Shifted slices are added up, axis by axis: convolutions are tuned for each new shape on a GPU, and every head has
    one of its own.
    """
    reach = max(math.ceil(2.5 * sd), 1)
    taps = [math.exp(-0.5 * (step / max(sd, 1e-3)) ** 2) for step in range(reach + 1)]
    total = taps[0] + 2 * sum(taps[1:])
    for axis in range(3):
        volume = _blurred(volume, axis, [tap / total for tap in taps])
    return volume


def _blurred(volume: Tensor, axis: int, taps: list[float]) -> Tensor:
    """Symmetric weights along one axis: ``taps[n]`` for the neighbours n voxels away on either side."""
    count = volume.shape[axis]
    result = volume * taps[0]
    for step, tap in enumerate(taps[1 : min(len(taps), count)], 1):
        result.narrow(axis, 0, count - step).add_(volume.narrow(axis, step, count - step), alpha=tap)
        result.narrow(axis, step, count - step).add_(volume.narrow(axis, 0, count - step), alpha=tap)
    return result
