"""The index of a result folder: ``OUT/index.html``, all cases on one page that can be sorted and filtered.

A row is small and its picture a file of its own, fetched when it comes into view: 5,000 cases make a page of some MB.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from markupsafe import Markup

from bratsseg import wording
from bratsseg.files import write_text
from bratsseg.report import phrases
from bratsseg.report.charts import curves, histogram
from bratsseg.report.cohort import CohortRow, read_rows
from bratsseg.report.pages import inline, template
from bratsseg.report.timeline import Change, Visit, changes, timelines
from bratsseg.results.filenames import INDEX
from bratsseg.study.regions import APPEARANCE, Region

_COLUMNS = (
    ("Case", "text"),
    *((str(region), "number") for region in Region),
    ("Predicted Dice", "number"),
    ("WT diameters", "number"),
    ("ET diameters", "number"),
    ("Lesions", "number"),
    ("Side", "text"),
    ("Flags", "number"),
)


@dataclass(frozen=True)
class VolumeChart:
    """One histogram and what it leaves out."""

    region: Region
    name: str
    note: str
    svg: Markup


@dataclass(frozen=True)
class Line:
    """One region at one scan of a patient."""

    scan: str
    region: Region
    volume: str
    baseline: str
    nadir: str


@dataclass(frozen=True)
class PatientHistory:
    """The scans of one patient."""

    name: str
    visits: tuple[Visit, ...]
    svg: Markup
    lines: list[Line]
    note: str


def write_index(out: Path, unreported: Mapping[str, str] | None = None) -> Path:
    """Write ``OUT/index.html`` from the records and measures in OUT, whole or not at all; ``WriteError``."""
    rows = sorted(read_rows(out, unreported or {}), key=lambda row: row.case)
    write_text(out / INDEX, cohort_page(rows))
    return out / INDEX


def cohort_page(rows: Sequence[CohortRow]) -> str:
    """The page as text; what was not done comes first."""
    done = [row for row in rows if row.status == "done"]
    others = sorted((row for row in rows if row.status != "done"), key=lambda row: (row.status, row.code, row.case))
    script = inline("cohort.js")
    page: str = template("cohort.html.j2").render(
        total=len(rows),
        done=done,
        others=others,
        other_counts=Counter(row.status for row in others).most_common(),
        charts=[chart for region in Region if (chart := _chart(done, region)) is not None],
        patients=_patients(rows),
        columns=[(number, title, kind) for number, (title, kind) in enumerate(_COLUMNS, start=1)],
        regions=list(Region),
        models=sorted({row.model for row in done}),
        number=_sort_value,
        product=_product,
        shown=lambda number: wording.NOTHING if number is None else f"{number:g}",
        style=inline("style.css", "cohort.css"),
        script=script,
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )
    return page


def _chart(done: list[CohortRow], region: Region) -> VolumeChart | None:
    volumes = [volume for row in done if (volume := row.volume(region))]
    if not volumes:
        return None
    states = Counter(row.state(region) for row in done)
    note = f"{wording.counted(len(volumes), 'case')}, median {wording.ml(median(volumes))}"
    for state, words in (("none", phrases.NONE_FOUND), ("unknown", phrases.NOT_ASSESSABLE)):
        note += f"; {words} in {states[state]}" if states[state] else ""
    return VolumeChart(region, APPEARANCE[region].name, note, histogram(volumes, region))


def _patients(rows: Sequence[CohortRow]) -> list[PatientHistory]:
    by_case = {row.case: row for row in rows}
    found = []
    for name, visits in timelines(by_case).items():
        seen = [by_case[visit.case] for visit in visits]
        volumes = {region: [row.volume(region) for row in seen] for region in Region}
        if sum(volume is not None for volume in volumes[Region.WT]) < 2:
            continue
        models = {row.model for row in seen if row.status == "done"}
        note = (
            "These scans were not segmented by the same model: a change may be the model's." if len(models) > 1 else ""
        )
        places = [float(visit.number) for visit in visits]
        svg = curves(places, volumes, visits[0].label, visits[-1].label)
        found.append(PatientHistory(name, visits, svg, _lines(visits, seen, volumes), note))
    return found


def _lines(visits: tuple[Visit, ...], seen: list[CohortRow], volumes: dict[Region, list[float | None]]) -> list[Line]:
    changed = {region: changes(line) for region, line in volumes.items()}
    return [
        Line(
            visit.label,
            region,
            row.answer(region) if row.status == "done" else row.status,
            _against(changed[region][number], changed[region][number].baseline),
            _against(changed[region][number], changed[region][number].nadir),
        )
        for number, (visit, row) in enumerate(zip(visits, seen, strict=True))
        for region in Region
    ]


def _against(change: Change, before: float | None) -> str:
    if change.volume is None or before is None:
        return wording.NOTHING
    by = wording.change_ml(change.volume - before)
    percent = wording.change_percent(change.volume, before)
    return by if percent == wording.NOTHING else f"{percent} ({by})"


def _sort_value(row: CohortRow, region: str, key: str) -> str:
    number = row.number(Region(region), key)
    return "" if number is None else f"{number:g}"


def _product(row: CohortRow, region: str) -> str:
    """ "58 × 34 mm"."""
    longest, across = (row.number(Region(region), key) for key in ("longest_axial_mm", "perpendicular_mm"))
    return wording.NOTHING if longest is None or across is None else f"{longest:.0f} × {across:.0f} mm"
