"""How far a training run is, from the files of its folder."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bratsseg.config import read_config
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import EXPERIMENT, LOG

_SPEED_OF = 5


@dataclass(frozen=True)
class RunStatus:
    """How far a run is. ``seconds_left`` is None before its first epoch ended; a run with patience may end earlier."""

    run: str
    epochs: int
    of: int
    loss: float | None
    monitor: str
    best: float | None
    seconds_an_epoch: float | None
    seconds_left: float | None

    @property
    def ended(self) -> bool:
        """True when every epoch is there."""
        return self.epochs >= self.of

    def as_json(self) -> dict[str, Any]:
        """The same for other programs."""
        return {**vars(self), "ended": self.ended}


def find_runs(folder: Path) -> list[Path]:
    """``folder`` if it is a run's, otherwise the runs directly in it."""
    if (folder / EXPERIMENT).is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{EXPERIMENT}"))


def run_status(run: Path) -> RunStatus:
    """How far the run in ``run`` is; ``ConfigError`` when its experiment cannot be read."""
    plan = read_config(Experiment, run / EXPERIMENT).trainer
    rows: list[dict[str, str]] = []
    if (run / LOG).is_file():
        with (run / LOG).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    scores = [float(row[plan.monitor]) for row in rows if row.get(plan.monitor)]
    each = median([float(row["seconds"]) for row in rows[-_SPEED_OF:]]) if rows else None
    left = None if each is None else max(0, plan.epochs - len(rows)) * each
    if left is not None and plan.max_minutes is not None:
        left = min(left, max(0.0, 60 * plan.max_minutes - sum(float(row["seconds"]) for row in rows)))
    return RunStatus(
        run=run.name,
        epochs=len(rows),
        of=plan.epochs,
        loss=float(rows[-1]["loss"]) if rows else None,
        monitor=plan.monitor,
        best=max(scores, default=None),
        seconds_an_epoch=each,
        seconds_left=left,
    )
