"""The page of an evaluation, or of two compared: one file, no network, what has no scores first."""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from bratsseg.evaluation.comparison import Comparison
from bratsseg.evaluation.folders import Evaluation
from bratsseg.evaluation.scoring import CaseScores
from bratsseg.evaluation.summary import Spread, Summary
from bratsseg.files import write_text
from bratsseg.report.agreement_chart import agreement_chart
from bratsseg.report.charts import histogram
from bratsseg.report.pages import inline, template
from bratsseg.study.regions import APPEARANCE, Region

PAGE = "report.html"
_SCORES = (
    ("vol_dice", "Dice of each case's volume; both empty 1, one empty 0. Dice 1945, doi:10.2307/1932409."),
    ("vol_iou", "Intersection over union, empty as Dice. Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x."),
    ("hd95_mm", "95 % Hausdorff distance; one side empty: undefined. Huttenlocher 1993, doi:10.1109/34.232073."),
    ("nsd_1mm", "Normalised surface Dice by area at 1 mm. Nikolov 2018, arXiv 1809.04430."),
    ("nsd_2mm", "The same at 2 mm."),
    ("sensitivity", "Share of the reference found. Taha & Hanbury 2015, doi:10.1186/s12880-015-0068-x."),
    ("precision", "Share of the prediction that is right; same paper."),
    ("specificity", "Share of the rest left alone; near 1 in any large scan; same paper."),
    ("volume_difference_ml", "Predicted less reference."),
    ("lesion_dice", "BraTS lesion-wise Dice. Moawad 2023, arXiv 2306.00838."),
    ("lesion_hd95_mm", "BraTS lesion-wise HD95, with penalties for missed and false lesions; same paper."),
)


@dataclass(frozen=True)
class Figure:
    """A chart with its words."""

    region: Region
    name: str
    note: str
    svg: Markup


@dataclass(frozen=True)
class CaseRow:
    """One case of the table; ``missed`` are regions of which not one voxel was found."""

    case: str
    missed: tuple[str, ...]
    numbers: tuple[float | None, ...]


def write_evaluation_report(
    evaluation: Evaluation, summary: Summary, name: str, out: Path, comparison: Comparison | None = None
) -> Path:
    """Write ``out/report.html``, whole or not at all; ``WriteError``."""
    write_text(out / PAGE, evaluation_page(evaluation, summary, name, comparison))
    return out / PAGE


def evaluation_page(evaluation: Evaluation, summary: Summary, name: str, comparison: Comparison | None = None) -> str:
    """The page as text; refused and unpaired cases come first, then total misses."""
    script = inline("cohort.js")
    columns = [("Case", "text"), ("Missed", "number")]
    columns += [(f"{region} {score}", "number") for region in summary.regions for score in ("Dice", "HD95 mm")]
    page: str = template("evaluation.html.j2").render(
        name=name,
        evaluation=evaluation,
        summary=summary,
        unscored=sorted(evaluation.unscored, key=lambda item: (item.status, item.code, item.case)),
        unscored_counts=Counter(item.status.replace("_", " ") for item in evaluation.unscored).most_common(),
        scores=_SCORES,
        columns=list(enumerate(columns)),
        rows=_rows(evaluation, summary),
        charts=_histograms(evaluation.scores, summary),
        agreement=_agreement(evaluation.scores, summary),
        pixel_names=list(next(iter(summary.regions.values())).pixels.scores),
        comparison=comparison,
        number=_number,
        spread=_spread,
        style=inline("style.css", "cohort.css", "dataset.css", "run.css"),
        script=script,
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )
    return page


def _rows(evaluation: Evaluation, summary: Summary) -> list[CaseRow]:
    rows = []
    for case, scores in evaluation.scores.items():
        numbers: list[float | None] = []
        for region in summary.regions:
            found = scores.regions.get(region)
            numbers += (None, None) if found is None else (found.dice, _finite(found.hd95_mm))
        rows.append(CaseRow(case, tuple(r for r, found in scores.regions.items() if found.missed), tuple(numbers)))
    return sorted(rows, key=lambda row: (-len(row.missed), _mean_dice(row), row.case))


def _mean_dice(row: CaseRow) -> float:
    known = [number for number in row.numbers[::2] if number is not None]
    return sum(known) / len(known) if known else math.inf


def _histograms(cases: Mapping[str, CaseScores], summary: Summary) -> list[Figure]:
    figures = []
    for region in Region:
        values = [case.regions[region].dice for case in cases.values() if region in case.regions]
        if values:
            note = f"{len(values)} cases, {summary.regions[region].missed} total misses"
            figures.append(Figure(region, APPEARANCE[region].name, note, histogram([*values], region, "Dice")))
    return figures


def _agreement(cases: Mapping[str, CaseScores], summary: Summary) -> list[Figure]:
    figures = []
    for region in Region:
        found = [case.regions[region] for case in cases.values() if region in case.regions]
        pairs = [(one.predicted_ml, one.reference_ml) for one in found if not math.isnan(one.predicted_ml)]
        agreed = summary.regions[region].volume_agreement_ml
        if pairs:
            note = f"bias {_number(agreed.bias)} mL, limits {_number(agreed.lower)} to {_number(agreed.upper)} mL"
            svg = agreement_chart([one for one, _ in pairs], [other for _, other in pairs], agreed, region)
            figures.append(Figure(region, APPEARANCE[region].name, note, svg))
    return figures


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "–"
    if abs(value) < 1e-12:  # what summing leaves of nothing
        return "0.000"
    return f"{value:.2e}" if abs(value) < 0.0005 else f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _spread(found: Spread) -> str:
    if found.mean_ci95 is None:
        return _number(found.mean)
    low, high = found.mean_ci95
    return f"{_number(found.mean)} ({_number(low)} to {_number(high)})"
