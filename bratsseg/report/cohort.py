"""Cohort: what an index says of each case, read from the records and from the measures beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bratsseg import wording
from bratsseg.report import phrases
from bratsseg.results.filenames import MEASURES, PAGE, SMALL
from bratsseg.results.record import CaseRecord
from bratsseg.results.records import find_records
from bratsseg.study.quality import RegionQuality, predicted_dice_of, quality_flags, review_first
from bratsseg.study.regions import Region


@dataclass(frozen=True)
class CohortRow:
    """One case in an index, small enough to keep for every case. ``link`` and ``small`` are relative addresses."""

    case: str
    status: str
    code: str = ""
    reason: str = ""
    stage: str = ""
    link: str | None = None
    small: str | None = None
    regions: dict[str, dict[str, Any]] = field(default_factory=dict)
    side: str | None = None
    flags: int = 0
    model: str = ""
    quality: Mapping[Region, RegionQuality] = field(default_factory=dict)

    @property
    def review_first(self) -> bool:
        """True when a reader should see the case before others."""
        return review_first(self.quality)

    @property
    def wt_predicted_dice(self) -> float | None:
        """Of the whole tumour."""
        return predicted_dice_of(self.quality, Region.WT)

    @property
    def trust(self) -> str:
        """How far the outline of the whole tumour can be trusted, in words."""
        whole = self.quality.get(Region.WT)
        return wording.NOTHING if whole is None else phrases.expected_dice(whole.answer, whole.predicted_dice)

    def volume(self, region: Region) -> float | None:
        """Volume in mL, or None when it is not assessable or has no size."""
        found: float | None = self.regions.get(region, {}).get("volume_ml")
        return found

    def state(self, region: Region) -> str:
        """found, none, or unknown."""
        known = self.regions.get(region, {})
        if not known.get("assessable", False):
            return "unknown"
        return "found" if known.get("voxels") or known.get("volume_ml") else "none"

    def answer(self, region: Region) -> str:
        """The cell of a region: its volume, "none found" or "not assessable"."""
        state, volume = self.state(region), self.volume(region)
        if state != "found":
            return phrases.NONE_FOUND if state == "none" else phrases.NOT_ASSESSABLE
        return "found" if volume is None else wording.ml(volume)

    def number(self, region: Region, key: str) -> float | None:
        """A measure of a region, to sort by."""
        found: float | None = self.regions.get(region, {}).get(key)
        return found


def read_rows(out: Path, unreported: Mapping[str, str]) -> Iterator[CohortRow]:
    """A row for each record below OUT; ``unreported`` are the cases whose report failed, with the reason."""
    for folder, result in find_records(out):
        if result.status != "done":
            yield CohortRow(
                result.case, result.status, result.code, result.reason, result.stage or "", model=_model(result)
            )
        elif result.case in unreported:
            yield CohortRow(
                result.case, "no report", "report_failed", unreported[result.case], "report", model=_model(result)
            )
        else:
            yield _done(out, folder, result)


def _done(out: Path, folder: Path, result: CaseRecord) -> CohortRow:
    measures = read_measures(folder, result)
    there = {name for name in (PAGE, SMALL) if (folder / f"{folder.name}{name}").is_file()}
    address = "/".join(quote(part, safe="") for part in (*folder.relative_to(out).parts, folder.name))
    return CohortRow(
        result.case,
        "done",
        link=f"./{address}{PAGE}" if PAGE in there else None,
        small=f"./{address}{SMALL}" if SMALL in there else None,
        regions=_from_record(result) if measures is None else measures["regions"],
        side=None if measures is None else measures.get("side"),
        flags=len([*quality_flags(result.quality), *result.warnings])
        if measures is None
        else int(measures.get("flags", 0)),
        model=_model(result),
        quality=result.quality if measures is None or measures.get("quality") else {},
    )


def read_measures(folder: Path, result: CaseRecord) -> dict[str, Any] | None:
    """The measures that a report left beside the record, unless they speak of another label map."""
    try:
        values = json.loads((folder / f"{folder.name}{MEASURES}").read_bytes())
        known = values["made_for"] == made_for(result) and isinstance(values["regions"], dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return values if known else None


def made_for(result: CaseRecord) -> str | None:
    """Which label map a report of this result is of: its hash as a person left it, otherwise as it was computed."""
    return result.edited.get(result.label_file) or result.outputs.get(result.label_file)


def _from_record(result: CaseRecord) -> dict[str, dict[str, Any]]:
    hidden = result.unanswered()
    return {
        str(region): {"assessable": region not in hidden, "volume_ml": result.volumes_ml.get(region)}
        for region in Region
    }


def _model(result: CaseRecord) -> str:
    return f"{result.model.name} {result.model.version} ({result.model.sha256[:12]})"
