"""Everything that a report of one case says, before it becomes a page, a picture or a sheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bratsseg import wording
from bratsseg.errors import CaseError
from bratsseg.report import phrases
from bratsseg.report.gallery import Gallery, build_gallery
from bratsseg.report.measures import Measures, measure
from bratsseg.results.record import CaseRecord
from bratsseg.study.brain import Brain, find_brain
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.quality import RegionQuality, quality_flags
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.study.volume import Study


@dataclass(frozen=True)
class RegionRow:
    """One region as a report words it. ``state`` is found, none or unknown."""

    region: Region
    name: str
    state: str
    answer: str
    why: str
    longest: str
    perpendicular: str
    product: str
    slice: str
    lesions: str


@dataclass(frozen=True)
class QualityRow:
    """The figures of one region as a report words them. ``drop`` is empty where it was not asked for."""

    region: Region
    name: str
    answer: str
    predicted_dice: str
    missed: str
    entropy: str
    drop: str


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """One case: the record, what was measured, the pictures, and what the reader should know."""

    result: CaseRecord
    measures: Measures
    physical: bool
    gallery: Gallery
    warnings: tuple[str, ...]

    @property
    def headline(self) -> str:
        """One line that answers the first question."""
        return phrases.headline(self.measures)

    def rows(self) -> list[RegionRow]:
        """The table of regions."""
        reasons = self.result.unanswered()
        return [_row(region, found, reasons.get(region, "")) for region, found in self.measures.regions.items()]

    def quality(self) -> list[QualityRow]:
        """The table of quality figures; empty where the record has none."""
        return [_quality_row(region, self.result.quality[region]) for region in Region if region in self.result.quality]

    def provenance(self) -> list[tuple[str, str]]:
        """How the result came about, as names and values."""
        result = self.result
        facts = [("Model", f"{result.model.name} {result.model.version}"), ("Model SHA-256", result.model.sha256)]
        facts.append(("Software", f"bratsseg {result.bratsseg.get('version', '')}"))
        facts += [(name, version) for name, version in result.versions.items()]
        facts += [(name.replace("_", " "), value) for name, value in _flat(result.options)]
        facts += [(name.replace("_", " "), value) for name, value in _flat(result.facts) if value != "none"]
        return facts

    def inputs(self) -> list[tuple[str, str, str]]:
        """(modality, file, SHA-256) of each input."""
        labels = {str(modality): modality.label for modality in Modality} | {"mask": "brain mask"}
        return [
            (labels.get(key, key), source.file, source.sha256 or "unreadable")
            for key, source in self.result.inputs.items()
        ]


def gather(
    result: CaseRecord,
    label_map: LabelMap,
    study: Study | None,
    brain: Brain | None = None,
    notes: tuple[str, ...] = (),
) -> CaseFacts:
    """Measure a case and draw its pictures. ``brain`` is looked for when it is not given; ``notes`` join the warnings.

    Regions that the record calls not assessable, or that its dialect cannot store, are taken as not looked for.
    """
    shown = LabelMap(label_map.regions, label_map.grid, label_map.assessable - result.unanswered().keys())
    if brain is None and study is not None:
        brain = _brain_of(study)
    if brain is not None and brain.mask.shape != shown.grid.shape:
        brain = None
    measures = measure(shown, brain)
    gallery = build_gallery(shown, measures, study, brain)
    warnings = tuple(dict.fromkeys([*quality_flags(result.quality), *result.warnings, *notes]))
    return CaseFacts(result, measures, shown.grid.physical, gallery, warnings)


def _brain_of(study: Study) -> Brain | None:
    try:
        return find_brain(study)
    except CaseError:  # the middle and the frame are then the scan's own
        return None


def _row(region: Region, found: Any, why: str) -> RegionRow:
    lines = found.diameters
    return RegionRow(
        region,
        APPEARANCE[region].name,
        "unknown" if not found.assessable else "found" if found.found else "none",
        phrases.answer(found),
        why,
        wording.NOTHING if lines is None else wording.mm(lines.longest_mm),
        wording.NOTHING if lines is None else wording.mm(lines.perpendicular_mm),
        wording.NOTHING if lines is None else wording.mm2(lines.product_mm2),
        wording.NOTHING if lines is None else str(lines.slice_index + 1),
        phrases.lesions(found),
    )


def _quality_row(region: Region, found: RegionQuality) -> QualityRow:
    return QualityRow(
        region,
        APPEARANCE[region].name,
        str(found.answer),
        phrases.expected_dice(found.answer, found.predicted_dice),
        wording.figure(found.missed_chance),
        wording.figure(found.boundary_entropy),
        "" if found.modality_drop_dice is None else phrases.drop(found.modality_drop_dice),
    )


def _flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key} ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            plain = {None: "none", True: "yes", False: "no"}
            yield f"{before}{key}", plain.get(value, shown) if value is None or isinstance(value, bool) else shown
