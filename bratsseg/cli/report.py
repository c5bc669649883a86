"""The verb ``report``: the pages of a result folder, made again from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from bratsseg.wording import lines_of

_MOST_SHOWN = 20


def report(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of results of `bratsseg segment`.")],
    *,
    scans: Annotated[
        Path | None,
        typer.Option(metavar="IN", help="The folder that was segmented; without it there are outlines alone."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Cases at once.")] = 1,
) -> None:
    """Make the pages of a result folder: per case HTML, PDF and PNG, and OUT/index.html over all of them.

    Exit 0: every finished case has its report, 1: some have none, 2: wrong use.
    """
    from bratsseg.report.run import build_reports

    built = build_reports(out, scans, workers, lambda cases, total: tqdm(cases, total=total, unit="case", disable=None))
    failed = [f"no report of {case}: {reason}" for case, reason in built.failed.items()]
    for line in lines_of(failed, _MOST_SHOWN, ", named on the index"):
        typer.echo(line, err=True)
    typer.echo(f"{built.reports} reports  index: {built.index}")
    raise typer.Exit(1 if built.failed else 0)
