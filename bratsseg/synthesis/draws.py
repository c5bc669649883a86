"""Every random number of a synthetic patient comes from here, seeded by (seed, index)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_FIELD_SD = 0.29
"""Standard deviation of the interpolated noise of ``Draws.field`` before it is scaled to about 1."""


@dataclass(frozen=True)
class Lattice:
    """The grid a patient is made on: ``shape`` (I, J, K), isotropic ``spacing_mm``, RAS axes, origin at its centre."""

    shape: tuple[int, int, int]
    spacing_mm: float
    device: torch.device

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Edge lengths in mm."""
        i, j, k = self.shape
        return i * self.spacing_mm, j * self.spacing_mm, k * self.spacing_mm

    def axis_mm(self, axis: int) -> Tensor:
        """Positions of the voxel centres along ``axis`` in mm from the centre, shaped to broadcast over (I, J, K)."""
        count = self.shape[axis]
        line = (torch.arange(count, device=self.device, dtype=torch.float32) - (count - 1) / 2) * self.spacing_mm
        return line.view([-1 if a == axis else 1 for a in range(3)])


class Draws:
    """A stream of random draws; the same (seed, index) gives the same stream, whatever the device.

    Numbers and coarse fields come from a CPU generator; only per-voxel white noise is drawn on the device.
    """

    def __init__(self, seed: int, index: int, device: torch.device) -> None:
        mixed = (seed * 1_000_003 + index * 7_919 + 12_345) % (2**62)
        self._numbers = torch.Generator().manual_seed(mixed)
        self._voxels = torch.Generator(device).manual_seed(mixed + 1)
        self._device = device

    def uniform(self, bounds: Sequence[float]) -> float:
        """Uniform in [bounds[0], bounds[1]]."""
        low, high = bounds
        return low + (high - low) * float(torch.rand((), generator=self._numbers))

    def middling(self, bounds: Sequence[float]) -> float:
        """Triangular in [bounds[0], bounds[1]]: the middle is likelier than the ends."""
        return (self.uniform(bounds) + self.uniform(bounds)) / 2

    def low(self, bounds: Sequence[float]) -> float:
        """In [bounds[0], bounds[1]], the lower end likelier (square of a uniform)."""
        share = self.uniform((0, 1)) ** 2
        return bounds[0] + (bounds[1] - bounds[0]) * share

    def normal(self, sd: float) -> float:
        """Normal with mean 0."""
        return sd * float(torch.randn((), generator=self._numbers))

    def log_normal(self, median: float, sigma: float, bounds: Sequence[float]) -> float:
        """Log-normal, clipped to ``bounds``."""
        return min(max(median * math.exp(self.normal(sigma)), bounds[0]), bounds[1])

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform((0, 1)) < probability

    def index(self, weights: Tensor) -> int:
        """An index into flat ``weights``, drawn in proportion to them."""
        total = weights.double().cumsum(0)
        return min(int(torch.searchsorted(total, self.uniform((0, float(total[-1]))))), len(weights) - 1)

    def direction(self) -> tuple[float, float, float]:
        """A unit vector, uniform on the sphere."""
        x, y, z = self.normal(1), self.normal(1), self.normal(1)
        length = math.sqrt(x * x + y * y + z * z) or 1.0
        return x / length, y / length, z / length

    def field(self, shape: Sequence[int], spacing_mm: float, scale_mm: float, channels: int = 1) -> Tensor:
        """Smooth noise (channels, I, J, K), mean 0 and sd about 1, that varies over ``scale_mm``."""
        coarse = [max(math.ceil(n * spacing_mm / scale_mm), 1) + 3 for n in shape]
        knots = torch.randn((1, channels, *coarse), generator=self._numbers).to(self._device)
        twice = F.interpolate(knots, scale_factor=2, mode="trilinear", align_corners=False)
        for axis in range(2, 5):  # the mean over 3 x 3 x 3, an axis at a time: a tenth of the time of avg_pool3d
            count = twice.shape[axis] - 2
            twice = twice.narrow(axis, 0, count).add(twice.narrow(axis, 1, count)).add_(twice.narrow(axis, 2, count))
        smooth = twice.div_(27 * _FIELD_SD)
        return F.interpolate(smooth, size=list(shape), mode="trilinear", align_corners=True)[0]

    def white(self, shape: Sequence[int]) -> Tensor:
        """Independent standard normal noise, drawn on the device."""
        return torch.randn(tuple(shape), generator=self._voxels, device=self._device)
