"""What an evaluation writes.

``scores.csv`` has a row a case and region, ``lesions.csv`` a row a lesion, ``pixels.csv`` a row a region and score over
all pixels, ``summary.json`` the rest.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bratsseg.errors import WriteError
from bratsseg.evaluation.comparison import COMPARISON_COLUMNS, Comparison, comparison_rows
from bratsseg.evaluation.folders import Evaluation
from bratsseg.evaluation.lesions import LESION_COLUMNS, LesionScores, lesion_cells
from bratsseg.evaluation.scoring import RegionScores
from bratsseg.evaluation.summary import Summary
from bratsseg.files import write_json, write_text
from bratsseg.version import __version__
from bratsseg.wording import cell

SCORES, LESIONS, PIXELS, SUMMARY = "scores.csv", "lesions.csv", "pixels.csv", "summary.json"
NUMBERS = {
    "vol_dice": "dice",
    "vol_iou": "iou",
    "hd95_mm": "hd95_mm",
    "nsd_1mm": "nsd_1mm",
    "nsd_2mm": "nsd_2mm",
    "sensitivity": "sensitivity",
    "precision": "precision",
    "specificity": "specificity",
    "predicted_ml": "predicted_ml",
    "reference_ml": "reference_ml",
    "volume_difference_ml": "volume_difference_ml",
    "false_positive_ml": "false_positive_ml",
}
LESION_NUMBERS = ("lesion_dice", "lesion_hd95_mm")
COLUMNS = ("case", "status", "code", "region", *NUMBERS, *LESION_NUMBERS, "reason")


def write_tables(evaluation: Evaluation, summary: Summary, out: Path, more: Mapping[str, object] | None = None) -> None:
    """Write the files into ``out``, which is made when missing; ``WriteError`` when that fails.

    ``more`` facts of whoever evaluates are put at the end of the summary.
    """
    _make(out)
    write_text(out / SCORES, _csv(COLUMNS, _rows(evaluation)))
    write_text(out / LESIONS, _csv(("case", *LESION_COLUMNS), _lesion_rows(evaluation)))
    write_text(out / PIXELS, _csv(("region", "score", "value", "all_background"), _pixel_rows(summary)))
    write_json(out / SUMMARY, {**_facts(evaluation, summary), **(more or {})})


def write_comparison(comparison: Comparison, names: tuple[str, str], out: Path) -> None:
    """Write ``comparison.csv`` and ``comparison.json`` into ``out``; ``names`` are the two results."""
    _make(out)
    write_text(out / "comparison.csv", _csv(COMPARISON_COLUMNS, comparison_rows(comparison)))
    facts = {"bratsseg_version": __version__, "first": names[0], "second": names[1]}
    write_json(out / "comparison.json", facts | comparison.model_dump(mode="json"))


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{out}: must be a folder that can be written; {error.strerror}") from error


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([cell(text) for text in row] for row in rows)
    return text.getvalue()


def _lesion_rows(evaluation: Evaluation) -> Iterator[tuple[str, ...]]:
    for case, scores in evaluation.scores.items():
        for region in scores.lesions.values():
            yield from ((case, *lesion_cells(lesion)) for lesion in region.lesions)


def _pixel_rows(summary: Summary) -> Iterator[tuple[str, ...]]:
    """An empty number is undefined."""
    for region, found in summary.regions.items():
        for name, value in found.pixels.scores.items():
            numbers = (value, found.pixels.all_background[name])
            yield (region, name, *("" if number is None else f"{number:.6g}" for number in numbers))


def _rows(evaluation: Evaluation) -> Iterator[tuple[str, ...]]:
    """An empty number is undefined: a side is empty, or a picture's pixels have no size."""
    blank = ("",) * (len(NUMBERS) + len(LESION_NUMBERS))
    for case, scores in evaluation.scores.items():
        for region, found in scores.regions.items():
            yield (case, "scored", "", region, *_numbers(found), *_lesion_numbers(scores.lesions.get(region)), "")
        for tissue in sorted(scores.lesions.keys() - scores.regions.keys()):
            yield (case, "scored", "", tissue, *("",) * len(NUMBERS), *_lesion_numbers(scores.lesions[tissue]), "")
        for region in scores.not_assessable:
            yield (case, "not_assessable", "", region, *blank, "one of the label maps cannot show this region")
    for item in evaluation.unscored:
        yield (item.case, item.status, item.code, "", *blank, item.reason)


def _numbers(scores: RegionScores) -> Iterator[str]:
    for name in NUMBERS.values():
        value = getattr(scores, name)
        yield "" if math.isnan(value) else f"{value:.6g}"


def _lesion_numbers(scores: LesionScores | None) -> tuple[str, str]:
    return ("", "") if scores is None else (f"{scores.dice:.6g}", f"{scores.hd95_mm:.6g}")


def _facts(evaluation: Evaluation, summary: Summary) -> dict[str, object]:
    unscored = [{"case": u.case, "status": u.status, "code": u.code, "reason": u.reason} for u in evaluation.unscored]
    return {
        "bratsseg_version": __version__,
        "unit": "case, native space; intervals over patients",
        "resolution": "the voxels of each reference",
        "threshold": "none: label maps are scored as they are",
        "unscored_counts": dict(Counter(item.status for item in evaluation.unscored)),
        "predicted_dialects": list(evaluation.predicted_dialects),
        "reference_dialects": list(evaluation.reference_dialects),
        **summary.model_dump(mode="json"),
        "unscored": unscored,
        "warnings": list(evaluation.warnings),
        "files": {name: account.as_json() for name, account in evaluation.accounts},
    }
