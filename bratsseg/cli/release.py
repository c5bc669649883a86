"""The verb ``release``: a run, or the folds of one, become a model that ``segment`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def release(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="A run, or the folds of one experiment.")],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the model is called.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="A new folder for it; otherwise models/NAME.")] = None,
    version: Annotated[str, typer.Option(metavar="TEXT", help="Its version.")] = "1",
    licence: Annotated[
        str, typer.Option(metavar="SPDX", help="Licence of the weights.")
    ] = "unknown: ask the owner of the data",
) -> None:
    """Make a model of the best weights of a RUN; of several folds, one whose logits are averaged.

    Then: bratsseg segment IN OUT --model models/NAME. A folder that holds something else is never written over.
    """
    from bratsseg.training.release import release as release_runs

    folder = Path("models") / name if out is None else out
    described = release_runs(runs, folder, name, version=version, licence=licence)
    typer.echo(f"{described.name} {described.version}: {described.summary}")
    typer.echo(
        f"model: {folder}  use: bratsseg segment IN OUT --model {folder if len(folder.parts) > 1 else f'./{folder}'}"
    )
