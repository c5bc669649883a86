"""The facts of all cases together: how often what occurs, how large the tumours and how bright the scans are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bratsseg.errors import DialectError
from bratsseg.evaluation.convention import settle_dialects
from bratsseg.evaluation.dataset import QUANTILES, CaseDescription, describe_case
from bratsseg.results.labelmaps import references_of
from bratsseg.study.case import Case
from bratsseg.study.modality import Modality
from bratsseg.study.patient import identify
from bratsseg.study.regions import Region
from bratsseg.wording import counted

Row = dict[str, Any]


@dataclass(frozen=True)
class DatasetFacts:
    """Every case, those that cannot be used first, and ``remarks`` that are true of the whole folder."""

    cases: tuple[CaseDescription, ...]
    remarks: tuple[str, ...] = ()

    @property
    def unusable(self) -> tuple[CaseDescription, ...]:
        """The cases that something refuses."""
        return tuple(case for case in self.cases if not case.usable)

    def volumes(self, region: Region) -> list[float]:
        """Sizes of a region in mL over the cases that hold it; in voxels when all are pictures."""
        known = [case.reference for case in self.cases if case.reference and case.reference.regions.get(region)]
        if not self.physical:
            return [float(reference.regions[region]) for reference in known]
        return [volume for reference in known if (volume := reference.volume_ml(region)) is not None]

    @property
    def patients(self) -> int | None:
        """How many patients the cases are of; None where some are named after visits alone."""
        owners = {identify(case.case).patient for case in self.cases}
        return None if None in owners else len(owners)

    @property
    def physical(self) -> bool:
        """False when no scan has a spacing: then sizes are counts of voxels."""
        return any(scan.spacing is not None for case in self.cases for scan in case.scans.values())


def describe_cases(folder: Path, cases: Sequence[Case], stated: str | None, progress: Iterable[Case]) -> DatasetFacts:
    """Describe ``cases`` of ``folder`` one by one, as ``progress`` yields them; ``stated`` is the dialect, if named.

    ``DialectError`` when ``stated`` is no dialect or contradicts a record.
    """
    dialect_of, remarks = _dialects(folder, cases, stated)
    remarks = (*remarks, *_nobodys(cases))
    described = [describe_case(case, dialect_of.get(case.id)) for case in progress]
    return DatasetFacts(tuple(sorted(described, key=lambda facts: (facts.usable, facts.case))), remarks)


def _nobodys(cases: Sequence[Case]) -> tuple[str, ...]:
    unknown = sum(case.patient is None for case in cases)
    text = (
        f"{counted(unknown, 'case is', 'cases are')} named after visits alone: "
        "nobody can tell which are one patient's, so no split can be "
        "drawn; put each patient's visits into a folder of the patient's name"
    )
    return (text,) if unknown else ()


def _dialects(folder: Path, cases: Sequence[Case], stated: str | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The dialect of each reference where something says it; regions of the others are not told."""
    items = references_of(cases)
    if stated is not None:
        return settle_dialects(folder, items, stated, "--dialect"), ()
    known = {case: item for case, item in items.items() if item.dialect is not None}
    remarks = []
    if len(known) < len(items):
        remarks.append(
            f"{counted(len(items) - len(known), 'reference does', 'references do')} not say what the values "
            "mean: no region is told of them; "
            "name it with --dialect"
        )
    try:
        return settle_dialects(folder, known, None, "--dialect"), tuple(remarks)
    except DialectError as error:
        return {}, (*remarks, str(error))


def summary(facts: DatasetFacts) -> dict[str, Any]:
    """The whole data set as plain JSON values."""
    return {
        "cases": len(facts.cases),
        "patients": facts.patients,
        "unusable": len(facts.unusable),
        "remarks": list(facts.remarks),
        "layouts": _counted(case.layout for case in facts.cases),
        "modalities": _counted("+".join(m.label for m in case.scans) or "none" for case in facts.cases),
        "shapes": _counted(shape_text(scan.shape) for scan in _first_scans(facts)),
        "spacings_mm": _counted(spacing_text(scan.spacing) for scan in _first_scans(facts)),
        "orientations": _counted(scan.orientation or "picture" for scan in _first_scans(facts)),
        "stored_types": _counted(scan.stored for case in facts.cases for scan in case.scans.values()),
        "references": references(facts),
        "sizes": {"unit": "mL" if facts.physical else "voxels", **_sizes(facts)},
        "intensities": {str(modality): found for modality in Modality if (found := intensities(facts, modality))},
    }


def references(facts: DatasetFacts) -> dict[str, Any]:
    """How many cases have a reference, in which dialects, and how many of them, and of their slices, hold tumour."""
    found = [case.reference for case in facts.cases if case.reference is not None]
    told = [reference for reference in found if Region.WT in reference.regions]
    values: Counter[int] = Counter()
    for reference in found:
        values.update(dict.fromkeys(reference.values, 1))
    return {
        "cases": len(found),
        "dialects": _counted(reference.dialect or "not known" for reference in found),
        "cases_with_value": {str(value): count for value, count in sorted(values.items())},
        "regions_known": len(told),
        "with_tumour": sum(reference.regions[Region.WT] > 0 for reference in told),
        "without_tumour": sum(reference.regions[Region.WT] == 0 for reference in told),
        "slices": sum(reference.slices for reference in told),
        "slices_with_tumour": sum(reference.tumour_slices or 0 for reference in told),
    }


def intensities(facts: DatasetFacts, modality: Modality) -> dict[str, dict[str, float]]:
    """For each quantile of a case's intensities its smallest, median and largest value over the cases."""
    scans = [case.scans[modality] for case in facts.cases if modality in case.scans]
    known = [scan.quantiles for scan in scans if scan.quantiles]
    return {name: _spread([quantiles[name] for quantiles in known]) for name in QUANTILES} if known else {}


def rows(facts: DatasetFacts) -> Iterator[Row]:
    """A flat row for each case, the same columns in each, unusable cases first."""
    for case in facts.cases:
        scan = next(iter(case.scans.values()), None)
        reference = case.reference
        owner = identify(case.case)
        row: Row = {
            "case": case.case,
            "patient": owner.patient or "",
            "visit": owner.visit.name if owner.visit else "",
            "date": owner.visit.day.isoformat() if owner.visit and owner.visit.day else "",
            "usable": case.usable,
            "problems": "; ".join(f"{problem.code}: {problem.message}" for problem in case.problems),
            "layout": case.layout,
            "modalities": "+".join(modality.label for modality in case.scans),
            "shape": shape_text(scan.shape) if scan else "",
            "spacing_mm": spacing_text(scan.spacing) if scan else "",
            "orientation": (scan.orientation or "") if scan else "",
            "dialect": (reference.dialect or "not known") if reference else "",
            "slices": reference.slices if reference else "",
            "tumour_slices": reference.tumour_slices if reference else "",
        }
        for region in Region:
            volume = reference.volume_ml(region) if reference else None
            row[f"{region}_voxels"] = reference.regions.get(region, "") if reference else ""
            row[f"{region}_ml"] = "" if volume is None else round(volume, 3)
        for modality in Modality:
            quantiles: Mapping[str, float] = case.scans[modality].quantiles if modality in case.scans else {}
            row |= {f"{modality}_{name}": quantiles.get(name, "") for name in QUANTILES}
        yield row


def shape_text(shape: Sequence[int]) -> str:
    """ "240 x 240 x 155"."""
    return " x ".join(str(size) for size in shape)


def spacing_text(spacing: Sequence[float] | None) -> str:
    """ "1 x 1 x 1", to a hundredth of a mm; "none" for a picture."""
    return "none" if spacing is None else " x ".join(f"{round(edge, 2):g}" for edge in spacing)


def _first_scans(facts: DatasetFacts) -> Iterator[Any]:
    return (next(iter(case.scans.values())) for case in facts.cases if case.scans)


def _sizes(facts: DatasetFacts) -> dict[str, Any]:
    found = {region: facts.volumes(region) for region in Region}
    return {str(region): {"cases": len(sizes), **_spread(sizes)} for region, sizes in found.items() if sizes}


def _spread(numbers: Sequence[float]) -> dict[str, float]:
    ordered = np.asarray(numbers)
    return {
        "smallest": float(ordered.min()),
        "median": float(np.median(ordered)),
        "mean": float(ordered.mean()),
        "largest": float(ordered.max()),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
