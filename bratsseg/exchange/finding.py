"""Find the label maps in a folder: our own results by their records, else anyone's by their names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bratsseg.errors import UsageError
from bratsseg.evaluation.labelled import Labelled
from bratsseg.study.layout.brats import dialect_of, family_id
from bratsseg.study.layout.roles import SUFFIXES, Role, role_of, stem_of
from bratsseg.study.modality import candidates, words
from bratsseg.study.regions import Region

_PREDICTED = {"pred", "preds", "prediction", "predicted"}


@dataclass(frozen=True)
class Found:
    """A label map: ``place`` is its path below the folder with '/', ``record`` the JSON of a case of ours or None."""

    place: str
    item: Labelled
    record: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The case: ours by its record, else the path without its image suffix."""
        if self.record is not None:
            return self.item.case
        return self.place.removesuffix(self.item.path.name) + stem_of(self.item.path)


@dataclass(frozen=True)
class LabelMaps:
    """The label maps of a folder by path, and our own cases that have none, with code and reason."""

    root: Path
    maps: tuple[Found, ...]
    without: dict[str, tuple[str, str]] = field(default_factory=dict)


def find_label_maps(folder: Path) -> LabelMaps:
    """Every label map below ``folder``; ``UsageError`` when it is no folder or holds none."""
    if not folder.is_dir():
        raise UsageError(f"IN {folder}: must be a folder of label maps, {_what_else(folder)}")
    places = list(_walk(folder))
    found = _ours(folder, places)
    if not found.maps and not found.without:
        found = LabelMaps(folder, tuple(_anyones(folder, [file for place in places for file in place])))
    if not found.maps and not found.without:
        raise UsageError(f"IN {folder}: must hold label maps (such as <case>_seg.nii.gz or <case>.nii.gz), has none")
    return found


def _ours(folder: Path, places: list[list[Path]]) -> LabelMaps:
    maps: list[Found] = []
    without: dict[str, tuple[str, str]] = {}
    for path in (file for place in places for file in place if file.name == f"{file.parent.name}.json"):
        record = _record(path)
        if record is None:
            continue
        case, state = str(record.get("case", path.stem)), str(record.get("status", "done"))
        labels = path.with_name(f"{path.stem}_seg.nii.gz")
        if state == "done" and labels.name in record.get("outputs", {}):
            hidden = record.get("not_assessable", {})
            shown = frozenset(region for region in Region if region not in hidden)
            item = Labelled(case, labels, record.get("dialect"), True, shown)
            maps.append(Found(labels.relative_to(folder).as_posix(), item, record))
        else:
            reason = f"case {case}: {state}: {record.get('reason') or 'it has no label map'}"
            without[path.relative_to(folder).as_posix()] = (str(record.get("code") or "not_written"), reason)
    return LabelMaps(folder, tuple(maps), without)


def _anyones(folder: Path, files: list[Path]) -> Iterator[Found]:
    """Files whose names say label map; when none does, files whose names say nothing at all (nnU-Net's way)."""
    images = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    said = [file for file in images if _says_label_map(stem_of(file))]
    for file in said or [file for file in images if role_of(stem_of(file)) is None and not candidates(stem_of(file))]:
        stem, place = stem_of(file), file.relative_to(folder).as_posix()
        family = family_id(stem)
        dialect = dialect_of(family, file.parent, folder) if family else None
        yield Found(place, Labelled(place, file, dialect))


def _walk(folder: Path) -> Iterator[list[Path]]:
    """The files of each folder, sorted; links are followed once, hidden names left out."""
    seen: set[str] = set()
    for place, inside, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        inside[:] = [] if real in seen else sorted(name for name in inside if not name.startswith("."))
        if real not in seen:
            yield [Path(place, name) for name in sorted(files) if not name.startswith(".")]
        seen.add(real)


def _record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "bratsseg" in record else None


def _says_label_map(stem: str) -> bool:
    role = role_of(stem)
    return role is Role.REFERENCE or (role is Role.DERIVED and bool(_PREDICTED & set(words(stem))))


def _what_else(folder: Path) -> str:
    return "was a file" if folder.exists() else "does not exist"
