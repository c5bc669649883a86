"""The verb ``compare``: two results against the same references, case by case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from bratsseg.cli.evaluate import accounts
from bratsseg.wording import some

if TYPE_CHECKING:
    from bratsseg.evaluation.comparison import Comparison

_DIALECT = "Convention of the label values in {}; needed when neither a record of ours nor the file names say it."


def compare(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="Folder of label maps, ours or anyone's.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Folder of label maps of the same cases.")],
    *,
    reference: Annotated[Path, typer.Option(metavar="DIR", help="Folder of references; may hold the scans.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for comparison.csv, .json, and report.html.")],
    first_dialect: Annotated[str | None, typer.Option(metavar="DIALECT", help=_DIALECT.format("FIRST"))] = None,
    second_dialect: Annotated[str | None, typer.Option(metavar="DIALECT", help=_DIALECT.format("SECOND"))] = None,
    reference_dialect: Annotated[str | None, typer.Option(metavar="DIALECT", help=_DIALECT.format("DIR"))] = None,
    lesions: Annotated[
        str, typer.Option(metavar="RULES", help="Lesion-wise as BraTS scores it: GLI-2023, MET-2024, …; or none.")
    ] = "GLI-2023",
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Cases at once, a process each.")] = 1,
) -> None:
    """Say whether one result is better than another: Wilcoxon's test, effect size, interval of the difference.

    Exit 0: every reference was scored in both, 1: some case is missing or refused in one, 2: wrong use.
    """
    from bratsseg.evaluation import evaluate_folders, summarise
    from bratsseg.evaluation.comparison import compare_evaluations
    from bratsseg.evaluation.lesion_rules import rules_by_name
    from bratsseg.evaluation.tables import write_comparison
    from bratsseg.report.evaluation_report import write_evaluation_report

    rules = rules_by_name(lesions)
    found = [
        evaluate_folders(
            folder,
            reference,
            dialect,
            reference_dialect,
            progress=lambda ids: tqdm(ids, disable=None),
            rules=rules,
            workers=workers,
        )
        for folder, dialect in ((first, first_dialect), (second, second_dialect))
    ]
    comparison = compare_evaluations(*found)
    write_comparison(comparison, (str(first), str(second)), out)
    page = write_evaluation_report(
        found[0], summarise(found[0].scores), f"{first.name} against {second.name}", out, comparison
    )
    typer.echo(comparison_text(comparison))
    typer.echo("\n".join(line for side in found for line in accounts(side)))
    typer.echo(f"report: {page}")
    raise typer.Exit(0 if all(side.complete for side in found) else 1)


def comparison_text(comparison: Comparison) -> str:
    """The comparison as a text table, first less second."""
    lines = [f"{comparison.cases} cases in both; first less second, for hd95_mm less is better"]
    for side, cases in (("first", comparison.only_first), ("second", comparison.only_second)):
        lines += [f"{len(cases)} in the {side} alone: {some(cases)}"] if cases else []
    lines.append(f"{'':22}{'difference':>11}{'95 % interval':>20}{'p':>10}{'effect':>8}")
    for region, compared in comparison.regions.items():
        for name, found in compared.scores.items():
            mean = found.mean_difference
            between = "-" if mean.low is None or mean.high is None else f"{mean.low:.3f} to {mean.high:.3f}"
            numbers = [_shown(value) for value in (mean.value, found.p, found.rank_biserial)]
            lines.append(f"{region + ' ' + name:22}{numbers[0]:>11}{between:>20}{numbers[1]:>10}{numbers[2]:>8}")
    lines.append(f"{comparison.tests} p-values, not corrected for their number")
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}" if 0 < abs(value) < 0.001 else f"{value:.3f}"
