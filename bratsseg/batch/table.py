"""``OUT/cases.csv``: one row for each case, derived from the records."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from bratsseg.batch.staging import PREFIX, Staging
from bratsseg.study.quality import predicted_dice, review_first
from bratsseg.study.record import CaseRecord, read_record
from bratsseg.study.regions import Region
from bratsseg.study.writing import write_text

TABLE = "cases.csv"
COLUMNS = (
    "case",
    "status",
    "code",
    "reason",
    *(f"{region}_ml" for region in Region),
    *(f"{region}_predicted_dice" for region in Region),
    "review_first",
    "not_assessable",
    "seconds",
    "warnings",
)


def rebuild_table(out: Path, staging: Staging) -> Path:
    """Write ``cases.csv`` anew from every record in OUT, whichever run made it; by case id."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(sorted(_row(record) for record in records(out)))
    with staging.room() as room:
        write_text(room / TABLE, text.getvalue())
        (room / TABLE).replace(out / TABLE)
    return out / TABLE


def records(out: Path) -> Iterator[CaseRecord]:
    """Every record in OUT that this version understands."""
    for folder, inside, files in os.walk(out):
        inside[:] = sorted(name for name in inside if not name.startswith(PREFIX))
        place = Path(folder)
        if f"{place.name}.json" in files:
            record = read_record(place / f"{place.name}.json")
            if record is not None:
                yield record


def _row(record: CaseRecord) -> tuple[str, ...]:
    volumes = [record.volumes_ml.get(str(region)) for region in Region]
    expected = [predicted_dice(record.quality, region) for region in Region]
    return (
        record.case,
        record.status,
        record.code,
        record.reason,
        *("" if volume is None else f"{volume:.2f}" for volume in volumes),
        *("" if dice is None else f"{dice:.3f}" for dice in expected),
        "yes" if review_first(record.quality) else "",
        " ".join(record.not_assessable),
        f"{sum(record.seconds.values()):.2f}",
        "; ".join(record.warnings),
    )
