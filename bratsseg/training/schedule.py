"""The learning rate over a run, relative to its peak: a function of the step, or of validation scores."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from bratsseg.config import Config


class ScheduleConfig(Config):
    """How the learning rate changes; every kind starts by rising from 0 over ``warmup_steps``.

    With t the share of the steps after the warm-up that is done, and f = ``final``:

    - ``linear_decay``: 1, and over the last ``decay_share`` of all steps linearly down to f;
    - ``cosine``: f + (1 - f) (1 + cos πt) / 2 (Loshchilov & Hutter, arXiv 1608.03983);
    - ``poly``: (1 - t) ** ``power``, as nnU-Net (``nnunetv2/training/lr_scheduler/polylr.py``), there per epoch;
    - ``plateau``: 1, times ``factor`` whenever the monitored score did not rise for ``patience`` validations;
    - ``constant``: 1.
    """

    name: Literal["linear_decay", "cosine", "poly", "plateau", "constant"] = "linear_decay"
    """Which of these."""
    warmup_steps: int = Field(default=200, ge=0)
    """Optimiser steps over which the learning rate rises from 0; of all kinds."""
    decay_share: float = Field(default=0.3, ge=0, le=1)
    """``linear_decay``: last share of the steps, over which it falls."""
    final: float = Field(default=0.01, ge=0, le=1)
    """``linear_decay`` and ``cosine``: what is left at the end; ``plateau``: the least it falls to."""
    power: float = Field(default=0.9, gt=0)
    """``poly``: its exponent."""
    factor: float = Field(default=0.1, gt=0, lt=1)
    """``plateau``: what it is multiplied by."""
    patience: int = Field(default=5, ge=0)
    """``plateau``: validations without a better score that are tolerated."""
    threshold: float = Field(default=1e-4, ge=0)
    """``plateau``: a score is better when it exceeds the best by this share of it."""


def learning_rate_factor(step: int, total_steps: int, schedule: ScheduleConfig) -> float:
    """Learning rate of optimiser step ``step`` (0 first) of ``total_steps``, relative to the peak.

    Of ``plateau`` it is the warm-up alone: multiply by ``Plateau.factor``.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    left = max(total_steps - step, 0)
    share = left / max(total_steps - schedule.warmup_steps, 1)
    if schedule.name == "linear_decay":
        fall = left / max(schedule.decay_share * total_steps, 1)
        return schedule.final + (1 - schedule.final) * min(fall, 1.0)
    if schedule.name == "cosine":
        return schedule.final + (1 - schedule.final) * (1 - math.cos(math.pi * min(share, 1.0))) / 2
    if schedule.name == "poly":
        return float(min(share, 1.0) ** schedule.power)
    return 1.0


class Plateau:
    """Lowers ``factor`` when a score to be maximised stops rising, as torch's ReduceLROnPlateau in ``max`` mode.

    A score that is not a number counts as no improvement. The state is plain numbers, for a checkpoint.
    """

    def __init__(self, schedule: ScheduleConfig) -> None:
        self._schedule = schedule
        self.factor = 1.0
        self._best = -math.inf
        self._waited = 0

    def update(self, score: float) -> float:
        """Take in the score of one validation; the factor from now on."""
        if score > self._best + self._schedule.threshold * abs(self._best if math.isfinite(self._best) else 0.0):
            self._best, self._waited = score, 0
        else:
            self._waited += 1
        if self._waited > self._schedule.patience:
            self.factor, self._waited = max(self.factor * self._schedule.factor, self._schedule.final), 0
        return self.factor

    def state_dict(self) -> dict[str, Any]:
        """What ``load_state_dict`` takes."""
        return {"factor": self.factor, "best": self._best, "waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.factor, self._best, self._waited = state["factor"], state["best"], state["waited"]
