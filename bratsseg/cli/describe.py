"""The verb ``describe-data``: what a data set is made of, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from bratsseg.cli.segment import Layout
from bratsseg.errors import UsageError


def describe_data(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of studies, with references or without.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for index.html, cases.csv, summary.json.")],
    *,
    dialect: Annotated[
        str | None, typer.Option(metavar="DIALECT", help="Convention of the references, where no name says it.")
    ] = None,
    layout: Layout = None,
) -> None:
    """Tell what FOLDER is made of: sizes, spacings, modalities, intensities, tumour volumes and shares.

    Reads every scan to its end, one case at a time. Writes DIR/index.html, DIR/cases.csv and DIR/summary.json, with
    the cases that cannot be used first. Exit 0: every case can be used, 1: some cannot, or a file
    was left out, 2: wrong use.
    """
    from bratsseg.evaluation.dataset_summary import describe_cases
    from bratsseg.report.dataset_report import lines, write_dataset_report
    from bratsseg.study.layout import find_cases
    from bratsseg.study.layout.accounting import account_for

    cases = find_cases(folder, layout)
    if not cases:
        raise UsageError(f"{folder}: must hold studies, none was found; see the layouts in the README")
    facts = describe_cases(folder, cases, dialect, tqdm(cases, unit="case", disable=None))
    out.mkdir(parents=True, exist_ok=True)
    page, *_ = write_dataset_report(facts, folder.resolve().name, out)
    account = account_for(folder, cases, layout=layout, references=True)
    typer.echo("\n".join((*lines(facts), *account.lines("FOLDER"), f"page: {page}")))
    raise typer.Exit(1 if facts.unusable or account.overlooked else 0)
