"""Every fold trained, what each held out segmented by its own model, and all cases scored in one table.

Training knows no batch: whoever calls says how the held-out cases are segmented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bratsseg.evaluation import summarise
from bratsseg.evaluation.folders import Evaluation
from bratsseg.evaluation.summary import Summary
from bratsseg.evaluation.tables import write_tables
from bratsseg.training.folder import is_first_process
from bratsseg.training.folds import Fold, patient_intervals, score_out_of_fold
from bratsseg.training.release import release
from bratsseg.training.run import train

PREDICTED = "out-of-fold"
"""Folder of the label maps, each by the fold that never saw its patient."""


@dataclass(frozen=True)
class OutOfFoldScores:
    """What the folds came to: scores, their mean over patients by region, and how the weights were chosen."""

    evaluation: Evaluation
    summary: Summary
    intervals: Mapping[str, Mapping[str, Any]]
    weights: str


def run_folds(
    folds: Sequence[Fold], out: Path, segment: Callable[[Fold, Path], None], say: Callable[[str], None]
) -> OutOfFoldScores | None:
    """Train each fold, or go on with it, and score what it held out; None in all processes but the first.

    ``segment`` writes label maps of a fold's held-out cases, made by the model in its ``model_folder``, into a folder;
    ``say`` is told where the work is. Writes the tables of an evaluation into ``out``.
    """
    for number, fold in enumerate(folds):
        if is_first_process():
            say(f"fold {number + 1} of {len(folds)}: {fold.run}")
        train(fold.experiment, fold.run)
    if not is_first_process():
        return None
    for fold in folds:
        release([fold.run], fold.model_folder, f"{fold.experiment.name}-{fold.run.name}")
        segment(fold, out / PREDICTED)
    return _scored(folds, out)


def _scored(folds: Sequence[Fold], out: Path) -> OutOfFoldScores:
    evaluation = score_out_of_fold(list(folds), out / PREDICTED)
    found = OutOfFoldScores(
        evaluation, summarise(evaluation.scores), patient_intervals(evaluation, list(folds)), _chosen(folds[0])
    )
    facts = {
        "experiment": folds[0].experiment.name,
        "split_sha256": {fold.run.name: fold.split_sha256 for fold in folds},
        "weights": found.weights,
        "vol_dice_over_patients": found.intervals,
    }
    write_tables(evaluation, found.summary, out, facts)
    return found


def _chosen(fold: Fold) -> str:
    """How a fold's weights were chosen: where its own held-out cases chose them, their scores flatter."""
    plan = fold.experiment.trainer
    if plan.validate_every >= plan.epochs:
        return "of the last epoch; the held-out cases chose nothing"
    return "of the epoch that the held-out cases scored best: expect a little less on cases that chose nothing"
