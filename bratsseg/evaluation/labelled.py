"""Find the label maps in a folder, whoever made them, and which case each belongs to."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bratsseg.errors import UsageError
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.brats import dialect_of, family_id
from bratsseg.study.layout.draft import assemble, read_names
from bratsseg.study.layout.listing import list_images
from bratsseg.study.layout.roles import Role, key_of, role_of, says_something, stem_of
from bratsseg.study.modality import words
from bratsseg.study.regions import Region
from bratsseg.study.stack import archive_of

_PREDICTED = {"pred", "preds", "prediction", "predicted"}


@dataclass(frozen=True)
class Labelled:
    """A label map file of a case.

    ``dialect`` is what our own record states (then ``ours`` is True) or what the file's name proves, else None.
    """

    case: str
    path: Path
    dialect: str | None = None
    ours: bool = False
    assessable: frozenset[Region] = frozenset(Region)


@dataclass(frozen=True)
class LabelFolder:
    """The label maps of a folder by case id, and the cases known to have none, with code and reason."""

    root: Path
    maps: dict[str, Labelled]
    without: dict[str, tuple[str, str]] = field(default_factory=dict)


def find_predictions(folder: Path) -> LabelFolder:
    """Label maps that some program made: our own results by their records, else anyone's files by their names.

    ``UsageError`` when there are none.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: must be a folder of predictions, {_what_else(folder)}")
    maps, without = {}, {}
    for path, record in _records(folder):
        case, state = str(record.get("case", path.stem)), str(record.get("status", "done"))
        masks = str(record.get("masks") or "")
        file = path.with_name(masks or f"{path.stem}_seg.nii.gz")
        if state == "done" and (masks or file.name in record.get("outputs", {})):
            hidden = record.get("not_assessable", {})
            shown = frozenset(region for region in Region if region not in hidden)
            maps[case] = Labelled(case, file, record.get("dialect"), True, shown)
        else:
            reason = f"{state}: {record.get('reason') or 'no label map'}"
            without[case] = (str(record.get("code") or "not_written"), reason)
    if maps or without:
        return LabelFolder(folder, maps, without)
    return _settled(folder, _by_name(folder, ()), "predictions")


def find_references(folder: Path) -> LabelFolder:
    """Label maps that somebody drew: those of the studies found in the folder, and bare ones by their names.

    Our own results are never taken for references. ``UsageError`` when there are none.
    """
    archive = archive_of(folder)
    if not folder.is_dir() and archive is None:
        raise UsageError(f"{folder}: must be a folder of references, {_what_else(folder)}")
    cases = find_cases(folder)
    found = [Labelled(case.id, case.reference, case.dialect) for case in cases if case.reference is not None]
    known = {item.path for item in found}
    scans = {source.path for case in cases for source in case.sources.values()}
    if archive is None:  # in a zip only pictures are looked for, and those are studies
        found += [item for item in _by_name(folder, scans) if item.path not in known]
    return _settled(folder, found, "references")


def _by_name(folder: Path, scans: Iterable[Path]) -> list[Labelled]:
    """Files whose name says label map; when none does, the files whose name says nothing at all (nnU-Net's way)."""
    listing = list_images(folder)
    files = [file for files in listing.folders.values() for file in files]
    said = [file for file in files if _says_label_map(stem_of(file))]
    taken = set(scans)
    silent = [file for file in files if file not in taken and not says_something(stem_of(file))]
    return [_labelled(file, folder) for file in (said or silent)]


def _labelled(file: Path, root: Path) -> Labelled:
    stem = stem_of(file)
    family = family_id(stem)
    dialect = dialect_of(family, file.parent, root) if family else None
    draft = assemble("", "", read_names([file]), "", dialect)
    return Labelled(family or key_of(stem) or file.parent.name, file, draft.dialect)


def _settled(folder: Path, found: list[Labelled], what: str) -> LabelFolder:
    by_case: dict[str, list[Labelled]] = defaultdict(list)
    for item in found:
        by_case[item.case].append(item)
    if not by_case:
        raise UsageError(
            f"{folder}: must hold {what} as label maps (<case>_seg.nii.gz, <case>-seg.nii.gz, or <case>.nii.gz), "
            "found none; results of bratsseg count as predictions only"
        )
    maps = {case: items[0] for case, items in sorted(by_case.items()) if len(items) == 1}
    without = {
        case: ("labels_ambiguous", "several label maps claim this case: " + ", ".join(_names(items, folder)))
        for case, items in sorted(by_case.items())
        if len(items) > 1
    }
    return LabelFolder(folder, maps, without)


def _records(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Our own records, ``<case>/<case>.json``, below a folder; links are followed, each folder is seen once."""
    seen: set[str] = set()
    for place, inside, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        inside[:] = [] if real in seen else sorted(name for name in inside if not name.startswith("."))
        if real in seen:
            continue
        seen.add(real)
        path = Path(place, f"{Path(place).name}.json")
        if path.name in files:
            try:
                record = json.loads(path.read_bytes())
            except (OSError, ValueError, RecursionError):
                continue
            if isinstance(record, dict) and "bratsseg" in record:
                yield path, record


def _says_label_map(stem: str) -> bool:
    role = role_of(stem)
    return role is Role.REFERENCE or (role is Role.DERIVED and bool(_PREDICTED & set(words(stem))))


def _names(items: list[Labelled], folder: Path) -> list[str]:
    return [item.path.relative_to(folder).as_posix() for item in items[:4]]


def _what_else(folder: Path) -> str:
    return "was a file" if folder.exists() else "does not exist"
