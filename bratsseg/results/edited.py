"""What a person changed in a result: the files whose bytes are not the ones that were written, and its record then."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from bratsseg.errors import CaseError
from bratsseg.results.filenames import ITKSNAP, LABELS, MASK, SLICER
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.reading import read_label_map
from bratsseg.results.record import CaseRecord, hash_or_none
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region
from bratsseg.study.stack import members

BY_HAND = "changed by hand"
"""What is said of a file that a person changed."""


def changed_by_hand(folder: Path, record: CaseRecord | None) -> dict[str, str]:
    """The files in the folder of a case that a person can draw in and that are not as ``record`` wrote them.

    By name, with the SHA-256 that each has now. Without a record nobody can say who made a label map: it counts as a
    person's, because what cannot be made again must not go.
    """
    written = {} if record is None else record.outputs
    found = {}
    for path in _drawings(folder):
        now = hash_or_none(path)
        if now is not None and now != written.get(path.name):
            found[path.name] = now
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
        label_map, _ = read_label_map(label_map_beside(folder, record), record.dialect)
        known["volumes_ml"] = volumes_of(label_map)
    except CaseError as error:
        warnings.append(f"the label map that was {BY_HAND} has no volumes: {error}")
    return record.model_copy(update={**known, "warnings": tuple(warnings)})


def is_label_map_changed(folder: Path, record: CaseRecord, changed: Collection[str]) -> bool:
    """True when the ``changed`` files are the label map of the result, or masks of it."""
    return any(member.path.name in changed for member in members(folder / record.label_file))


def _drawings(folder: Path) -> Iterator[Path]:
    names = {f"{folder.name}{end}" for end in (LABELS, *SLICER, *ITKSNAP)}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file() and (path.name in names or path.stem.endswith(MASK)):
            yield path
