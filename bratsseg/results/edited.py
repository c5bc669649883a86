"""What a person changed in a result: the files whose bytes are not the ones that were written, and its record then."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from bratsseg.errors import CaseError
from bratsseg.results.filenames import ITKSNAP, LABELS, MASK, SLICER
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.reading import label_map_of, read_labels
from bratsseg.results.record import CaseRecord, hash_or_none
from bratsseg.study.dialect import get_dialect
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region
from bratsseg.study.stack import members

BY_HAND = "changed by hand"
"""What is said of a file that a person changed."""


def changed_by_hand(folder: Path, record: CaseRecord) -> dict[str, str]:
    """The files of a result that a person can draw in and that are not as ``record`` wrote them.

    By name, with the SHA-256 that each has now. A file that the record does not list is the user's own and no change.
    """
    found = {}
    for name, written in record.outputs.items():
        now = hash_or_none(folder / name) if _is_drawing(name, record) else None
        if now is not None and now != written:
            found[name] = now
    return found


def volumes_of(label_map: LabelMap) -> dict[str, float | None]:
    """Volumes in mL by region, None where a region is not assessable or has no size."""
    volumes = {region: label_map.volume_ml(region) for region in Region}
    return {str(region): None if volume is None else round(volume, 4) for region, volume in volumes.items()}


def follow_edit(folder: Path, record: CaseRecord) -> CaseRecord:
    """The record of a result of which a person changed files: it tells so, and its volumes are of the label map now.

    The quality figures speak of the map that was computed, so they go where that map was changed. A record that
    already tells of the files as they are is returned itself.
    """
    now = changed_by_hand(folder, record)
    if not now or now == record.edited:
        return record
    warnings = [warning for warning in record.warnings if BY_HAND not in warning]
    warnings += [f"{name} was {BY_HAND}" for name in sorted(now)]
    known: dict[str, object] = {"edited": now}
    if not is_label_map_changed(folder, record, now):
        return record.model_copy(update={**known, "warnings": tuple(warnings)})
    known |= {"quality": {}, "volumes_ml": {}}
    try:
        known |= _measured(folder, record)
    except CaseError as error:
        warnings.append(f"the label map that was {BY_HAND} has no volumes: {error}")
    return record.model_copy(update={**known, "warnings": tuple(warnings)})


def _measured(folder: Path, record: CaseRecord) -> dict[str, object]:
    """Volumes of the label map as it is now. A region that a person drew has been looked for, whoever made it."""
    item = label_map_beside(folder, record)
    volume, values = read_labels(item)
    regions = get_dialect(record.dialect).decode(values, f"case {record.case}: {item.path.name}")
    drawn = {str(region) for region, mask in zip(Region, regions, strict=True) if mask.any()}
    open_still = {region: why for region, why in record.not_assessable.items() if region not in drawn}
    shown = record.model_copy(update={"not_assessable": open_still})
    label_map = label_map_of(label_map_beside(folder, shown), record.dialect, volume, values)
    return {"volumes_ml": volumes_of(label_map), "not_assessable": open_still}


def is_label_map_changed(folder: Path, record: CaseRecord, changed: Collection[str]) -> bool:
    """True when the ``changed`` files are the label map of the result, or masks of it."""
    return any(member.path.name in changed for member in members(folder / record.label_file))


def _is_drawing(name: str, record: CaseRecord) -> bool:
    if record.masks:
        return Path(name).stem.endswith(MASK)
    return name in {f"{record.stem}{end}" for end in (LABELS, *SLICER, *ITKSNAP)}
