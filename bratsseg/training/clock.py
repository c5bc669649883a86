"""A run of so many minutes: it ends in time, and whatever cuts it, its averaged weights are a minute old at most."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

from lightning import pytorch as pl

from bratsseg.errors import ModelError
from bratsseg.training.folder import AVERAGE
from bratsseg.training.module import SegmentationModule
from bratsseg.training.release import write_average

WRITTEN_EVERY = 60.0
"""Seconds between two writings of the averaged weights."""
SETTLED = 20
"""Steps after which the speed of a run is believed: the first ones pay for what is built once."""


class Clock(pl.Callback):
    """Ends the run with the last epoch that fits into ``minutes``, or within an epoch that does not.

    The seconds of earlier starts are part of the state. Until ``SETTLED`` steps were taken the schedule is laid over
    the steps that the experiment names, then over those that are expected to fit.
    """

    def __init__(self, run: Path, minutes: float) -> None:
        self._folder, self._limit = run / AVERAGE, 60 * minutes
        self._before = 0.0
        self._start = self._written = self._epoch = time.monotonic()
        self._first: tuple[int, float] | None = None
        self._longest = self._longest_before = 0.0
        self._epochs = 0

    @property
    def seconds(self) -> float:
        """Seconds of the run until now, all starts together."""
        return self._before + time.monotonic() - self._start

    @property
    def at_its_end(self) -> bool:
        """True when no epoch fits any more."""
        return self.seconds + self._longest >= self._limit

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {"seconds": self.seconds, "longest_epoch": self._longest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._before, self._longest = state_dict["seconds"], state_dict["longest_epoch"]
        self._longest_before = self._longest
        self._start = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """An epoch begins."""
        self._epoch = time.monotonic()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Lay the schedule over the steps that are expected to fit."""
        if not isinstance(pl_module, SegmentationModule):
            return
        step = trainer.global_step
        if self._first is None:
            self._first = (step + SETTLED, math.inf)
        if step == self._first[0] and self._first[1] == math.inf:
            self._first = (step, self.seconds)
        taken, since = step - self._first[0], self.seconds - self._first[1]
        if taken >= SETTLED and since > 0:
            fitting = step + int(max(self._limit - self.seconds, 0) * taken / since)
            pl_module.expected_steps = min(pl_module.experiment.trainer.total_steps, max(fitting, step + 1))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the average when a minute is over; stop when all are. Processes together stop only between epochs."""
        if time.monotonic() - self._written >= WRITTEN_EVERY:
            self._write(trainer, pl_module)
        if trainer.world_size == 1 and self.seconds >= self._limit:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop when the next epoch would not fit. The first of a start pays for what is built once: another tells."""
        self._epochs += 1
        self._longest = max(self._longest_before, time.monotonic() - self._epoch)
        if self._epochs > 1:
            self._longest_before = self._longest
        ends: bool = trainer.strategy.broadcast(self.at_its_end)
        trainer.should_stop = trainer.should_stop or ends

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the average as it is in the end."""
        self._write(trainer, pl_module)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Write it also when something breaks."""
        self._write(trainer, pl_module)

    def _write(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._written = time.monotonic()
        if not trainer.is_global_zero or not isinstance(module, SegmentationModule) or not trainer.global_step:
            return
        try:
            write_average(module.experiment, module.state_dict(), trainer.global_step, self._folder)
        except (ModelError, OSError) as error:  # the run goes on: the next minute may do better
            print(f"averaged weights of step {trainer.global_step} are not written: {error}", file=sys.stderr)
