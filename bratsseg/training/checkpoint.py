"""Checkpoints at the end of every epoch, the best one, and when to stop."""

from __future__ import annotations

import math
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning import pytorch as pl

from bratsseg.files import replacing
from bratsseg.training.folder import BEST, LAST, SCORES, write_table
from bratsseg.training.module import SegmentationModule


class Checkpoints(pl.Callback):
    """Keeps the last and the best epoch: each is written beside and renamed, so that there is always a whole one.

    The last one is renamed after everything else of its epoch: whatever a kill leaves, the epoch is done again, and
    comes out the same. The best score so far and the validations since then are part of the state.
    """

    def __init__(self, run: Path, patience: int | None) -> None:
        self._run, self._patience = run, patience
        self.best = -math.inf
        self.waited = 0

    @property
    def exhausted(self) -> bool:
        """True when the patience is at its end."""
        return self._patience is not None and self.waited >= self._patience

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.waited = state_dict["best"], state_dict["waited"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the epoch, and keep it as the best one if it is."""
        if not isinstance(pl_module, SegmentationModule) or pl_module.within_epoch:
            return
        better = bool(pl_module.scores) and self._judge(pl_module)
        last = self._run / LAST
        # All processes save, and the first alone writes.
        with replacing(last) if trainer.is_global_zero else nullcontext(last) as part:
            trainer.save_checkpoint(part, weights_only=False)
            if trainer.is_global_zero and better:
                _write_scores(self._run / SCORES, pl_module)
                with replacing(self._run / BEST) as copy:
                    shutil.copyfile(part, copy)
        trainer.strategy.barrier("checkpoint")
        trainer.should_stop = trainer.should_stop or self.exhausted

    def _judge(self, module: SegmentationModule) -> bool:
        score = module.scores[module.experiment.trainer.monitor]
        better = score > self.best
        self.best = score if better else self.best
        self.waited = 0 if better else self.waited + 1
        return better


def _write_scores(path: Path, module: SegmentationModule) -> None:
    rows: list[dict[str, Any]] = [{"case": case, **scores} for case, scores in module.case_scores.items()]
    write_table(path, list(rows[0]), rows)
