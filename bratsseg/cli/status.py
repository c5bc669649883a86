"""The verb ``status``: how far a batch or a training run is, whoever runs it and wherever."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bratsseg.errors import UsageError
from bratsseg.wording import counted, duration, some

if TYPE_CHECKING:
    from bratsseg.results.progress import FolderProgress, Run
    from bratsseg.training.run_status import RunStatus

SCHEMA = 1
EXPERIMENT = "experiment.yaml"


def status(
    folder: Annotated[Path, typer.Argument(metavar="OUT|RUN", help="Folder of results, or of training runs.")],
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Tell again every few seconds while anybody works.")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="With --watch: how often.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Tell how far the work on OUT is: done, refused by reason, failed, who runs where, rate and time left.

    Works from any machine that sees the folder. Exit 0: nothing failed, 1: some case failed, 2: wrong use.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: must be a folder of results or of a training run, there is none")
    if _is_training(folder):
        _tell_training(folder, as_json)
        return
    from bratsseg.results.progress import progress_of

    found = progress_of(folder)
    typer.echo(_shown(found, as_json))
    while watch and found.running:
        time.sleep(every)
        found = progress_of(folder)
        typer.echo(_shown(found, as_json))
    raise typer.Exit(1 if found.failed else 0)


def _is_training(folder: Path) -> bool:
    return (folder / EXPERIMENT).is_file() or any(folder.glob(f"fold*/{EXPERIMENT}"))


def _shown(found: FolderProgress, as_json: bool) -> str:
    if as_json:
        return json.dumps({"schema": SCHEMA, **found.as_json()})
    lines = [f"done    {found.done:>8,}"]
    for name, kinds in (("refused", found.refused), ("failed", found.failed)):
        lines.append(f"{name:<8}{sum(kinds.values()):>8,}")
        ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
        lines += [f"  {number:>7,}  {code}" for code, number in ordered]
    if found.failed_cases:
        lines.append(f"failed: {some(found.failed_cases)}")
    if found.left is not None:
        lines.append(f"left    {found.left:>8,}")
    if found.cases_a_minute is not None and found.seconds_left is not None:
        lines.append(f"{found.cases_a_minute:.3g} cases a minute, {duration(found.seconds_left)} left")
    lines += [_line(run) for run in found.runs] or ["nobody works on it now"]
    return "\n".join(lines)


def _line(run: Run) -> str:
    heard = "" if run.state == "running" else f", {run.state}, last heard of {duration(run.silent_seconds)} ago"
    device = f" on {run.device}" if run.device else ""
    seen = f", {run.settled:,} of {counted(run.total, 'case')} seen settled" if run.total else ""
    doing = f", now {some(run.cases)}" if run.cases else ""
    return f"{run.host} process {run.pid}{device}{heard}{seen}{doing}"


def _tell_training(folder: Path, as_json: bool) -> None:
    from bratsseg.training.run_status import find_runs, run_status

    found = [run_status(run) for run in find_runs(folder)]
    if as_json:
        facts: dict[str, Any] = {"schema": SCHEMA, "runs": [run.as_json() for run in found]}
        typer.echo(json.dumps(facts))
        return
    for run in found:
        typer.echo(_training_line(run))


def _training_line(run: RunStatus) -> str:
    loss = "" if run.loss is None else f", loss {run.loss:.4f}"
    best = "" if run.best is None else f", best {run.monitor} {run.best:.4f}"
    left = "" if run.seconds_left is None or run.ended else f", {duration(run.seconds_left)} left at most"
    return f"{run.run}: {run.epochs} of {run.of} epochs{loss}{best}{left}"
