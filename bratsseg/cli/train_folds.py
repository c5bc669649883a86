"""The verb ``train-folds``: train every fold, segment what each held out, score it all in one table."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bratsseg.config import read_config
from bratsseg.errors import ConfigError

if TYPE_CHECKING:
    from bratsseg.training.fold_runs import OutOfFoldScores
    from bratsseg.training.folds import Fold


def train_folds(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Such as configs/training/unet3d_brats.yaml.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUNS", help="Folder of all runs; what is there goes on.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys of the config with other values.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, metavar="N", help="Parts that patients are dealt into.")] = 5,
    device: Annotated[str, typer.Option(help="For segmenting: auto, cpu or cuda:N.")] = "auto",
) -> None:
    """Train each fold, segment the cases it held out, and score every case by a model that never saw its patient.

    Writes RUNS/fold<n>, RUNS/models, RUNS/out-of-fold (label maps), RUNS/scores.csv and RUNS/summary.json. Started
    again it goes on where it was. Exit 0: every case was scored, 1: some was not.
    """
    if not config.is_file():
        raise ConfigError(f"config {config}: must be a YAML file, there is none")
    from bratsseg.training.experiment import Experiment
    from bratsseg.training.fold_runs import run_folds
    from bratsseg.training.folds import plan_folds

    experiment = read_config(Experiment, config, [f"data.split.folds={folds}", *(overrides or [])])
    found = run_folds(plan_folds(experiment, out), out, partial(_segment, device=device), typer.echo)
    if found is not None:
        _tell(found, out)
        raise typer.Exit(0 if found.evaluation.complete else 1)


def _segment(fold: Fold, results: Path, *, device: str) -> None:
    """Take the road of ``bratsseg segment`` over the cases that a fold held out."""
    from bratsseg.batch import BatchOptions, segment_cases
    from bratsseg.cli.progress import Progress
    from bratsseg.inference import Segmenter

    cases = [held_out.case for held_out in fold.held_out.values()]
    root = Path(os.path.commonpath([source.path.absolute().parent for c in cases for source in c.sources.values()]))
    segmenter = Segmenter.load(fold.model_folder, device)
    with Progress() as progress:
        # What the user trains on is what the model is for, whatever it looks like.
        segment_cases(cases, root, results, BatchOptions(force=True), segmenter, watcher=progress)


def _tell(found: OutOfFoldScores, out: Path) -> None:
    from bratsseg.cli.evaluate import report
    from bratsseg.evaluation.tables import SCORES, SUMMARY

    typer.echo(report(found.evaluation, found.summary))
    for region, interval in found.intervals.items():
        typer.echo(_line(region, interval))
    typer.echo(f"weights: {found.weights}")
    typer.echo(f"scores: {out / SCORES}  summary: {out / SUMMARY}")


def _line(region: str, interval: Any) -> str:
    value, low, high = (interval[key] for key in ("value", "low", "high"))
    shown = "-" if value is None else f"{value:.3f}"
    between = "" if low is None else f" (95 % interval {low:.3f} to {high:.3f} over {interval['patients']} patients)"
    return f"vol_dice {region}: {shown}{between}"
