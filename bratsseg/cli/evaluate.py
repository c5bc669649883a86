"""The verb ``evaluate``: a folder of label maps, ours or anyone's, against references."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from bratsseg.study.regions import Region
from bratsseg.wording import counted, lines_of

if TYPE_CHECKING:
    from bratsseg.evaluation import CaseScores, Evaluation, Summary
    from bratsseg.evaluation.summary import Spread

MOST_ROWS, MOST_NAMED = 60, 10
_DIALECT = "Convention of the label values in {}; needed when neither a record of ours nor the file names say it."


def evaluate(
    predicted: Annotated[Path, typer.Argument(metavar="PREDICTED", help="Folder of label maps, ours or anyone's.")],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="Folder of references; may hold the scans.")],
    *,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder for report.html, the tables, summary.json."),
    ],
    predicted_dialect: Annotated[str | None, typer.Option(metavar="DIALECT", help=_DIALECT.format("PREDICTED"))] = None,
    reference_dialect: Annotated[str | None, typer.Option(metavar="DIALECT", help=_DIALECT.format("REFERENCE"))] = None,
    lesions: Annotated[
        str, typer.Option(metavar="RULES", help="Lesion-wise as BraTS scores it: GLI-2023, MET-2024, …; or none.")
    ] = "GLI-2023",
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Cases at once, a process each.")] = 1,
) -> None:
    """Score label maps against references: Dice, HD95, sensitivity, precision, volumes for WT, TC, ET.

    Cases are paired by id. Exit 0: every reference was scored, 1: some case was refused or has no prediction, or a
    label map was left out, 2: wrong use.
    """
    from bratsseg.evaluation import evaluate_folders, summarise
    from bratsseg.evaluation.lesion_rules import rules_by_name
    from bratsseg.evaluation.tables import SCORES, SUMMARY, write_tables
    from bratsseg.report.evaluation_report import write_evaluation_report

    evaluation = evaluate_folders(
        predicted,
        reference,
        predicted_dialect,
        reference_dialect,
        progress=lambda ids: tqdm(ids, disable=None),
        rules=rules_by_name(lesions),
        workers=workers,
    )
    summary = summarise(evaluation.scores)
    write_tables(evaluation, summary, out)
    page = write_evaluation_report(evaluation, summary, predicted.name, out)
    typer.echo(report(evaluation, summary))
    typer.echo(f"scores: {out / SCORES}  summary: {out / SUMMARY}  report: {page}")
    raise typer.Exit(0 if evaluation.complete else 1)


def report(evaluation: Evaluation, summary: Summary) -> str:
    """The whole evaluation as a text table: cases, means, what was left out and why."""
    width = max(len("lesion-wise mean"), *(len(case) for case in evaluation.scores), 0)
    lines = [f"{'':{width}}  {'Dice':<24}{'HD95 mm'}", f"{'':{width}}" + "".join(f"{r:>8}" for r in [*Region, *Region])]
    if len(evaluation.scores) <= MOST_ROWS:
        lines += [_row(case, scores, width) for case, scores in evaluation.scores.items()]
    for name in ("mean", "median", "sd"):
        numbers = [getattr(summary.regions[region].vol_dice, name) for region in Region]
        distances = [getattr(summary.regions[region].hd95_mm, name) for region in Region]
        lines.append(f"{name:{width}}" + _cells(numbers, 3) + _cells(distances, 2))
    lesions = [summary.regions[region].lesion_dice.mean for region in Region]
    if any(mean is not None for mean in lesions):
        lesion_distances = [summary.regions[region].lesion_hd95_mm.mean for region in Region]
        lines.append(f"{'lesion-wise mean':{width}}" + _cells(lesions, 3) + _cells(lesion_distances, 2))
    lines += ["", *_remarks(evaluation, summary)]
    return "\n".join(lines)


def _row(case: str, scores: CaseScores, width: int) -> str:
    found = [scores.regions.get(region) for region in Region]
    dices = [None if item is None else item.dice for item in found]
    distances = [None if item is None else item.hd95_mm for item in found]
    return f"{case:{width}}" + _cells(dices, 3) + _cells(distances, 2)


def _cells(numbers: list[float | None], digits: int) -> str:
    return "".join(f"{'-':>8}" if n is None or math.isnan(n) else f"{n:8.{digits}f}" for n in numbers)


def _remarks(evaluation: Evaluation, summary: Summary) -> list[str]:
    lines = [
        f"{counted(summary.scored, 'case')} scored; predictions in {', '.join(evaluation.predicted_dialects)}, "
        f"references in {', '.join(evaluation.reference_dialects)}"
    ]
    for region, numbers in summary.regions.items():
        if numbers.vol_dice_where_present.cases < numbers.assessed:
            present, absent = numbers.vol_dice_where_present, numbers.false_positive_ml
            lines.append(
                f"{region}: Dice {_shown(present)} over {counted(present.cases, 'case')} with it; "
                f"elsewhere {_shown(absent)} mL predicted on average"
                f" ({counted(absent.cases + absent.undefined, 'case')})"
            )
        if numbers.hd95_mm.undefined:
            undefined = counted(numbers.hd95_mm.undefined, "case")
            lines.append(f"{region}: HD95 undefined in {undefined}: one side empty, or pixels without size")
        if numbers.not_assessable:
            hidden = counted(numbers.not_assessable, "case")
            lines.append(f"{region}: not assessable in {hidden}, left out of its numbers")
    lines += [f"warning: {line}" for line in lines_of(evaluation.warnings, MOST_NAMED, ", in the summary")]
    return [*lines, *_unscored(evaluation), *accounts(evaluation)]


def accounts(evaluation: Evaluation) -> list[str]:
    """What became of every image file of both folders."""
    return [line for name, account in evaluation.accounts for line in account.lines(name)]


def _unscored(evaluation: Evaluation) -> list[str]:
    lines = []
    for status in ("refused", "no_prediction", "no_reference"):
        items = [item for item in evaluation.unscored if item.status == status]
        if items:
            lines.append(f"{len(items)} {status.replace('_', ' ')}, not in the numbers above:")
            named = [f"{item.case}: {item.reason.removeprefix(f'case {item.case}: ')}" for item in items]
            lines += [f"  {line}" for line in lines_of(named, MOST_NAMED, ", listed in the scores")]
    return lines


def _shown(spread: Spread) -> str:
    return "-" if spread.mean is None else f"{spread.mean:.3f}"
