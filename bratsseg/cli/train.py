"""The verb ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bratsseg.config import read_config
from bratsseg.errors import ConfigError


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Such as configs/training/default.yaml.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run; a run found there goes on.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys of the config with other values.")
    ] = None,
) -> None:
    """Train a model as CONFIG says. Exit 0: trained on all that is there, 1: some file was left out, 2: wrong use."""
    if not config.is_file():
        raise ConfigError(f"config {config}: must be a YAML file, there is none")
    from bratsseg.training.experiment import Experiment
    from bratsseg.training.run import train as run_training
    from bratsseg.training.sources import accounts_of

    experiment = read_config(Experiment, config, overrides or [])
    run_training(experiment, out)
    accounts = accounts_of(experiment.data) if experiment.data.all_sources else []
    for name, account in accounts:
        typer.echo("\n".join(account.lines(name)))
    raise typer.Exit(1 if any(account.overlooked for _, account in accounts) else 0)
