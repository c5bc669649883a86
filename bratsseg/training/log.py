"""What a run tells while it runs: a line of CSV for each epoch, TensorBoard where it is installed, a bar for people."""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path
from typing import Any

from lightning import pytorch as pl
from tqdm import tqdm

from bratsseg.training.folder import LOG
from bratsseg.training.module import SegmentationModule

SHOWN_EVERY = 25
"""Steps between two losses on the bar: showing one waits for the device."""
NAMED_FROM_S = 0.05
"""Seconds of waiting for patients from which an epoch's line names them."""


class EpochLog(pl.Callback):
    """Appends one line per epoch: epoch, step, seconds, learning rate, loss, and the scores where it was validated."""

    def __init__(self, run: Path) -> None:
        self._path = run / LOG
        self._since = time.monotonic()
        self._writer: Any = None
        self._tensorboard = run / "tensorboard"

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open TensorBoard's file."""
        self._since = time.monotonic()
        if trainer.is_global_zero:
            self._writer = _tensorboard(self._tensorboard)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch's line; before its checkpoint, so that no epoch is kept without its line."""
        if not isinstance(pl_module, SegmentationModule) or pl_module.within_epoch:
            return
        loss = pl_module.mean_loss()
        if not trainer.is_global_zero:
            return
        now = time.monotonic()
        epoch = trainer.global_step // pl_module.experiment.trainer.epoch_steps - 1
        numbers = {"learning_rate": trainer.optimizers[0].param_groups[-1]["lr"], "loss": loss, **pl_module.scores}
        row: dict[str, Any] = {"epoch": epoch, "step": trainer.global_step, "seconds": round(now - self._since, 1)}
        names = [*row, "learning_rate", "loss", *pl_module.experiment.score_names]
        row |= {name: f"{value:.7g}" for name, value in numbers.items()}
        self._since = now
        fresh = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, names)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        for name, value in numbers.items() if self._writer else ():
            self._writer.add_scalar(name, value, trainer.global_step)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close TensorBoard's file."""
        if self._writer:
            self._writer.close()


class Bar(pl.Callback):
    """One bar per epoch with the loss, and one line with the score when it ends; lines alone where nobody watches.

    The line also says how many of the epoch's seconds went by waiting for synthetic patients, where any did.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._since, self._waited = time.monotonic(), 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """An epoch begins."""
        self._since, self._waited = time.monotonic(), trainer.datamodule.waited

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar."""
        if not isinstance(pl_module, SegmentationModule) or not trainer.is_global_zero:
            return
        plan = pl_module.experiment.trainer
        if batch_idx == 0:
            epoch = trainer.global_step // plan.epoch_steps
            total = plan.epoch_steps * plan.accumulate
            name = f"epoch {epoch + 1}/{plan.epochs}"
            self._bar = tqdm(total=total, desc=name, unit="batch", leave=False, disable=None, file=sys.stderr)
        if batch_idx % SHOWN_EVERY == 0 and not self._bar.disable:
            self._bar.set_postfix(loss=f"{float(outputs['loss']):.3f}", refresh=False)
        self._bar.update()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how the epoch ended."""
        if not isinstance(pl_module, SegmentationModule) or pl_module.within_epoch:
            return
        loss = pl_module.mean_loss()
        if not trainer.is_global_zero:
            return
        self._close()
        plan = pl_module.experiment.trainer
        epoch = trainer.global_step // plan.epoch_steps
        score = f"  {plan.monitor} {pl_module.scores[plan.monitor]:.4f}" if pl_module.scores else ""
        waited = trainer.datamodule.waited - self._waited
        for_patients = f"  waited {waited:.1f} of {time.monotonic() - self._since:.1f} s for patients"
        tqdm.write(
            f"epoch {epoch}/{plan.epochs}  step {trainer.global_step}  loss {loss:.4f}{score}"
            f"{for_patients if waited >= NAMED_FROM_S else ''}",
            file=sys.stderr,
        )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave a clean line behind."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - seconds to import, and may be absent
    except ImportError:
        print("TensorBoard is not installed; log.csv holds the same numbers", file=sys.stderr)
        return None
    return SummaryWriter(str(folder))
