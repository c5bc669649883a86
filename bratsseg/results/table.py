"""``OUT/cases.csv``: one row for each case, derived from the records."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from bratsseg.files import write_text
from bratsseg.results.filenames import TABLE
from bratsseg.results.record import CaseRecord
from bratsseg.results.records import find_records
from bratsseg.results.staging import Staging
from bratsseg.study.quality import missed_chance_of, predicted_dice_of, review_first
from bratsseg.study.regions import Region
from bratsseg.wording import cell

COLUMNS = (
    "case",
    "status",
    "code",
    "reason",
    *(f"{region}_ml" for region in Region),
    *(f"{region}_predicted_dice" for region in Region),
    *(f"{region}_missed_chance" for region in Region),
    "review_first",
    "edited",
    "not_assessable",
    "seconds",
    "warnings",
)


def rebuild_table(staging: Staging) -> Path:
    """Write ``cases.csv`` anew from every record in OUT, whichever run made it; by case id. ``WriteError``.

    Ids and reasons that a spreadsheet would take for formulas are written as ``wording.cell`` says.
    """
    out = staging.out
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([cell(text) for text in row] for row in sorted(_row(record) for _, record in find_records(out)))
    with staging.new_folder() as staged:  # a kill leaves no half of a file where a user sees it
        write_text(staged / TABLE, text.getvalue())
        (staged / TABLE).replace(out / TABLE)
    return out / TABLE


def _row(record: CaseRecord) -> tuple[str, ...]:
    volumes = [record.volumes_ml.get(str(region)) for region in Region]
    figures = [of(record.quality, region) for of in (predicted_dice_of, missed_chance_of) for region in Region]
    return (
        record.case,
        record.status,
        record.code,
        record.reason,
        *("" if volume is None else f"{volume:.2f}" for volume in volumes),
        *("" if figure is None else f"{figure:.3f}" for figure in figures),
        "yes" if review_first(record.quality) else "",
        " ".join(sorted(record.edited)),
        " ".join(record.not_assessable),
        f"{sum(record.seconds.values()):.2f}",
        "; ".join(record.warnings),
    )
