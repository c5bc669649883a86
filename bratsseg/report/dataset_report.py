"""The analysis of a data set as a page, a table and JSON: ``index.html``, ``cases.csv``, ``summary.json``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from markupsafe import Markup

from bratsseg.evaluation.dataset import QUANTILES
from bratsseg.evaluation.dataset_summary import DatasetFacts, rows, summary
from bratsseg.files import write_json, write_text
from bratsseg.report.charts import histogram
from bratsseg.report.pages import inline, template
from bratsseg.study.modality import Modality
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.wording import cell, counted

PAGE, TABLE, SUMMARY = "index.html", "cases.csv", "summary.json"
MOST_ROWS = 1000
_MOST_KINDS = 12


@dataclass(frozen=True)
class Chart:
    """A histogram with its title, and a region where it has one."""

    name: str
    note: str
    svg: Markup
    region: Region | None = None


def write_dataset_report(facts: DatasetFacts, name: str, out: Path) -> list[Path]:
    """Write page, table and summary of the data set ``name`` into ``out``, each whole or not at all; ``WriteError``."""
    write_text(out / TABLE, _table(facts))
    write_json(out / SUMMARY, summary(facts))
    write_text(out / PAGE, dataset_page(facts, name))
    return [out / PAGE, out / TABLE, out / SUMMARY]


def dataset_page(facts: DatasetFacts, name: str) -> str:
    """One page that needs no other file; cases that cannot be used come first."""
    found = summary(facts)
    page: str = template("dataset.html.j2").render(
        name=name,
        facts=found,
        unusable=facts.unusable,
        odd=[case for case in facts.cases if case.usable and case.problems],
        counts=[
            (title, _most(found[key]))
            for title, key in (
                ("Modalities", "modalities"),
                ("Size in voxels", "shapes"),
                ("Spacing in mm", "spacings_mm"),
                ("Orientation", "orientations"),
                ("Stored type", "stored_types"),
                ("Layout", "layouts"),
            )
        ],
        sizes=_size_charts(facts, found),
        brightness=_brightness_charts(facts),
        quantiles=list(QUANTILES),
        labels={str(modality): modality.label for modality in Modality},
        rows=list(rows(facts))[:MOST_ROWS],
        regions=list(Region),
        table=TABLE,
        number=_number,
        share=_share,
        style=inline("style.css", "cohort.css", "dataset.css"),
    )
    return page


def _table(facts: DatasetFacts) -> str:
    text, found = io.StringIO(), list(rows(facts))
    writer = csv.DictWriter(text, list(found[0]) if found else ["case"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(str(value)) for name, value in row.items()} for row in found)
    return text.getvalue()


def _size_charts(facts: DatasetFacts, found: Mapping[str, Any]) -> list[Chart]:
    unit = found["sizes"]["unit"]
    charts = []
    for region in Region:
        if sizes := facts.volumes(region):
            note = f"{len(sizes)} cases, median {_number(median(sizes))} {unit}, largest {_number(max(sizes))} {unit}"
            charts.append(Chart(APPEARANCE[region].name, note, histogram(sizes, region, unit), region))
    return charts + _slice_chart(facts)


def _slice_chart(facts: DatasetFacts) -> list[Chart]:
    """How much of a slice is tumour, over the slices that hold any: what a network of slices is trained on."""
    references = [case.reference for case in facts.cases if case.reference and case.reference.slice_areas]
    shares = [100 * area / found.slice_voxels for found in references for area in found.slice_areas or ()]
    if not shares:
        return []
    note = f"{len(shares)} slices that hold any, median {_number(median(shares))} %, largest {_number(max(shares))} %"
    return [Chart("Whole tumour, share of a slice", note, histogram(shares, Region.WT, "%"), Region.WT)]


def _brightness_charts(facts: DatasetFacts) -> list[Chart]:
    """The median intensity of each case: two humps say that scans came from two places."""
    charts = []
    for modality in Modality:
        scans = [case.scans[modality] for case in facts.cases if modality in case.scans]
        if medians := [scan.quantiles["p50"] for scan in scans if scan.quantiles]:
            note = f"median intensity of {len(medians)} scans"
            charts.append(Chart(modality.label, note, histogram(medians, unit="")))
    return charts


def _most(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    """The commonest kinds, and what is left of the others."""
    kinds = list(counted.items())
    rest = kinds[_MOST_KINDS:]
    return kinds[:_MOST_KINDS] + ([(f"{len(rest)} others", sum(count for _, count in rest))] if rest else [])


def _number(value: float | str | None) -> str:
    """Three digits, no exponent for what people read as a number; a dash for nothing."""
    if value is None or value == "":
        return "–"
    number = float(value)
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / whole:.1f} %)" if whole else "–"


def lines(facts: DatasetFacts) -> Iterable[str]:
    """What the terminal says: how many cases, what is wrong, how many hold tumour."""
    found = summary(facts)
    told = found["references"]
    whose = "" if found["patients"] is None else f" of {counted(found['patients'], 'patient')}"
    yield f"{counted(found['cases'], 'case')}{whose}, {found['unusable']} cannot be used"
    yield from (f"remark: {remark}" for remark in facts.remarks)
    if told["regions_known"]:
        cases = _share(told["with_tumour"], told["regions_known"])
        yield f"tumour in {cases} cases, {_share(told['slices_with_tumour'], told['slices'])} slices"
