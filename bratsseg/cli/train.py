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
    """Train a model as CONFIG says."""
    if not config.is_file():
        raise ConfigError(f"config {config}: must be a YAML file, there is none")
    from bratsseg.training.experiment import Experiment
    from bratsseg.training.run import train as run_training

    run_training(read_config(Experiment, config, overrides or []), out)
