"""The verb ``train-folds``: train every fold, segment what each held out, score it all in one table."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bratsseg.config import read_config
from bratsseg.errors import ConfigError

if TYPE_CHECKING:
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
    from bratsseg.training.folder import is_first_process
    from bratsseg.training.folds import plan_folds
    from bratsseg.training.run import train

    experiment = read_config(Experiment, config, [f"data.split.folds={folds}", *(overrides or [])])
    planned = plan_folds(experiment, out)
    for number, fold in enumerate(planned):
        if is_first_process():
            typer.echo(f"fold {number + 1} of {len(planned)}: {fold.run}")
        train(fold.experiment, fold.run)
    if is_first_process():
        for fold in planned:
            _segment_held_out(fold, out / "out-of-fold", device)
        raise typer.Exit(0 if _score(planned, out) else 1)


def _segment_held_out(fold: Fold, results: Path, device: str) -> None:
    from bratsseg.batch import BatchOptions, segment_cases
    from bratsseg.cli.progress import Progress
    from bratsseg.inference import Segmenter
    from bratsseg.training.release import release

    release([fold.run], fold.model_folder, f"{fold.experiment.name}-{fold.run.name}")
    cases = [held_out.case for held_out in fold.held_out.values()]
    root = Path(os.path.commonpath([source.path.absolute().parent for c in cases for source in c.sources.values()]))
    segmenter = Segmenter.load(fold.model_folder, device)
    with Progress() as progress:
        segment_cases(cases, root, results, BatchOptions(), segmenter, watcher=progress)


def _score(folds: Sequence[Fold], out: Path) -> bool:
    from bratsseg.cli.evaluate import report
    from bratsseg.evaluation import summarise
    from bratsseg.evaluation.tables import SCORES, SUMMARY, write_tables
    from bratsseg.files import write_json
    from bratsseg.training.folds import patient_intervals, score_out_of_fold

    evaluation = score_out_of_fold(list(folds), out / "out-of-fold")
    summary = summarise(evaluation.scores)
    write_tables(evaluation, summary, out)
    intervals = patient_intervals(evaluation, list(folds))
    facts: dict[str, Any] = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    facts |= {
        "experiment": folds[0].experiment.name,
        "split_sha256": {fold.run.name: fold.split_sha256 for fold in folds},
        "weights": _chosen(folds[0]),
        "vol_dice_over_patients": intervals,
    }
    write_json(out / SUMMARY, facts)
    typer.echo(report(evaluation, summary))
    for region, interval in intervals.items():
        typer.echo(_line(region, interval))
    typer.echo(f"weights: {_chosen(folds[0])}")
    typer.echo(f"scores: {out / SCORES}  summary: {out / SUMMARY}")
    return evaluation.complete


def _chosen(fold: Fold) -> str:
    """How a fold's weights were chosen: where its own held-out cases chose them, their scores flatter."""
    plan = fold.experiment.trainer
    if plan.validate_every >= plan.epochs:
        return "of the last epoch; the held-out cases chose nothing"
    return "of the epoch that the held-out cases scored best: expect a little less on cases that chose nothing"


def _line(region: str, interval: Any) -> str:
    value, low, high = (interval[key] for key in ("value", "low", "high"))
    shown = "-" if value is None else f"{value:.3f}"
    between = "" if low is None else f" (95 % interval {low:.3f} to {high:.3f} over {interval['patients']} patients)"
    return f"vol_dice {region}: {shown}{between}"
