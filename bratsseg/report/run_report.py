"""The page of a training run: ``RUN/report.html``, which needs no other file and no network.

Curves, every validation case with total misses first, best and worst cases as pictures, the pixel classification report
and the confusion matrix beside what a program that never finds anything would get.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from bratsseg.evaluation.agreement import Interval, bootstrap_ci
from bratsseg.evaluation.classes import ClassTable
from bratsseg.evaluation.pixels import PixelReport
from bratsseg.files import write_text
from bratsseg.report.curve import progress_chart
from bratsseg.report.error_picture import ERROR_COLOURS, ErrorPicture, paint_errors
from bratsseg.report.overlay import data_uri, png
from bratsseg.report.pages import inline, template
from bratsseg.study.regions import Region

PAGE, LOG = "report.html", "log.csv"
_NO_CURVE = {"epoch", "step", "seconds"}


@dataclass(frozen=True)
class ValidationCase:
    """One validation case under the best weights."""

    case: str
    patient: str
    scores: Mapping[str, float]
    """By name, such as ``vol_dice_WT``; NaN where undefined."""
    missed: tuple[Region, ...] = ()
    """Regions that the reference has and of which not one voxel was predicted rightly."""


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run came to: everything the page says but the curves, which are in the run's log."""

    name: str
    facts: tuple[tuple[str, str], ...]
    """(name, value): split hash, patients and cases on each side, network, steps, device, and what else decides."""
    scored_by: str
    """The score that the best weights were chosen by, such as ``vol_dice_mean``."""
    cases: tuple[ValidationCase, ...]
    pixels: Mapping[Region, PixelReport]
    """By ``evaluation.pixels.pool`` over the cases."""
    classes: ClassTable | None = None
    """By ``evaluation.classes.class_table``, summed over the cases."""
    best: tuple[ErrorPicture, ...] = ()
    worst: tuple[ErrorPicture, ...] = ()


@dataclass(frozen=True)
class ScoreSummary:
    """One score over the validation cases."""

    name: str
    mean: Interval
    values: tuple[float, ...]


def write_run_report(run: Path, result: RunResult) -> Path:
    """Write ``run/report.html`` from ``result`` and ``run/log.csv``, whole or not at all; ``WriteError``."""
    write_text(run / PAGE, run_page(result, read_history(run / LOG)))
    return run / PAGE


def read_history(log: Path) -> dict[str, list[tuple[int, float]]]:
    """(epoch, value) of each column of a run's log; an epoch without a number is left out. No file: nothing."""
    if not log.is_file():
        return {}
    history: dict[str, list[tuple[int, float]]] = {}
    with log.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            for name, text in row.items():
                if name in _NO_CURVE or not text or name is None:
                    continue
                value = float(text)
                if math.isfinite(value):
                    history.setdefault(name, []).append((int(row["epoch"]) + 1, value))
    return history


def run_page(result: RunResult, history: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """The page as text."""
    names = list(dict.fromkeys(name for case in result.cases for name in case.scores))
    page: str = template("run.html.j2").render(
        result=result,
        curves=[(name, points[-1][1], progress_chart(points, name)) for name, points in history.items() if points],
        cases=sorted(result.cases, key=_worst_first),
        names=names,
        summaries=[_sum_up(name, result.cases) for name in names],
        pixel_names=list(next(iter(result.pixels.values())).scores) if result.pixels else [],
        pictures=[("Worst", result.worst), ("Best", result.best)],
        painted=_painted,
        error_colours={name: "#{:02x}{:02x}{:02x}".format(*shade) for name, shade in ERROR_COLOURS.items()},
        number=_number,
        style=inline("style.css", "cohort.css", "dataset.css", "run.css"),
    )
    return page


def _worst_first(case: ValidationCase) -> tuple[int, float, str]:
    """Total misses, most regions first; then by the mean of the scores."""
    known = [value for value in case.scores.values() if not math.isnan(value)]
    return -len(case.missed), sum(known) / len(known) if known else math.inf, case.case


def _sum_up(name: str, cases: Sequence[ValidationCase]) -> ScoreSummary:
    having = [case for case in cases if name in case.scores]
    values = [case.scores[name] for case in having]
    return ScoreSummary(name, bootstrap_ci(values, [case.patient for case in having]), tuple(values))


def _painted(picture: ErrorPicture) -> Markup:
    return Markup(data_uri(png(paint_errors(picture))))


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
