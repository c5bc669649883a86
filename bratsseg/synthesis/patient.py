"""What the generator hands out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SyntheticPatient:
    """One patient, RAS axes.

    ``images`` (4, I, J, K) float32 in ``Modality`` order, 0 outside the brain, positive inside,
    or with the head around it down to air; ``regions``
    (3, I, J, K) bool in ``Region`` order, nested; ``brain`` (I, J, K) bool; ``spacing`` mm per axis.
    """

    images: Tensor
    regions: Tensor
    brain: Tensor
    spacing: tuple[float, float, float]
