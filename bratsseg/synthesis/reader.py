"""Whoever outlines a patient: at which level of a fading border, how smoothly."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Reader:
    """``level`` is the membership of whole tumour where the outline passes, after a Gaussian of ``smoothing_mm``."""

    level: float
    smoothing_mm: float

    def inward_mm(self, softness_mm: float) -> float:
        """How far inside this reader's outline a flat border of that softness is half-way, smoothing aside."""
        return softness_mm * math.log((1 - self.level) / self.level)
