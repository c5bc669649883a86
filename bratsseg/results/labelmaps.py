"""Find the label maps in a folder, whoever made them, which case each belongs to, and account for every file there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bratsseg.errors import Code, UsageError
from bratsseg.results.filenames import BIDS_FOLDER, EDITED, is_result_file
from bratsseg.results.record import CaseRecord
from bratsseg.results.records import find_records
from bratsseg.results.sorting import not_read, sort_files
from bratsseg.study.account import Account, FileKind, LeftOutFile
from bratsseg.study.case import Case
from bratsseg.study.dialect import DIALECTS
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.brats import dialect_of, family_id
from bratsseg.study.layout.draft import assemble
from bratsseg.study.layout.filename import read_names
from bratsseg.study.layout.listing import list_images
from bratsseg.study.layout.roles import key_of, stem_of
from bratsseg.study.mark import carries_mark, mark_of, record_beside
from bratsseg.study.patient import id_of
from bratsseg.study.regions import Region
from bratsseg.study.stack import archive_of, is_stack, members
from bratsseg.study.visit import looks_like_patient
from bratsseg.wording import some

_LOOSE = "but the record beside it does not speak of it; move it to a folder of its own, or segment the study again"
Reason = tuple[str, str]
"""A stable code and the reason in words."""


@dataclass(frozen=True)
class LabelMapFile:
    """A label map of a case.

    ``dialect`` is what our own ``record`` states or what the file itself proves, by its name or our mark, or None.
    """

    case: str
    path: Path
    dialect: str | None = None
    record: CaseRecord | None = None

    @property
    def ours(self) -> bool:
        """True when a record of ours vouches for it."""
        return self.record is not None

    @property
    def assessable(self) -> frozenset[Region]:
        """The regions that whoever made it looked for, as far as a record says."""
        hidden = () if self.record is None else self.record.not_assessable
        return frozenset(region for region in Region if region not in hidden)


@dataclass(frozen=True)
class LabelMaps:
    """The label maps of a folder in the order of their paths, and what the folder holds besides.

    ``without`` are cases known to have none, with code and reason; ``account`` tells of every image file.
    """

    root: Path
    files: tuple[LabelMapFile, ...]
    without: Mapping[str, Reason] = field(default_factory=dict)
    account: Account = field(default_factory=lambda: Account("label maps", 0))

    def place(self, item: LabelMapFile) -> str:
        """The path of a label map below the folder, with '/'."""
        return item.path.relative_to(self.root).as_posix()

    def by_place(self) -> dict[str, LabelMapFile]:
        """The label maps by their paths below the folder."""
        return {self.place(item): item for item in self.files}

    def by_case(self) -> tuple[dict[str, LabelMapFile], dict[str, Reason]]:
        """The label maps by case id; a case that several claim has none, and says so in the second."""
        claims: dict[str, list[LabelMapFile]] = defaultdict(list)
        for item in self.files:
            claims[item.case].append(item)
        maps = {case: items[0] for case, items in sorted(claims.items()) if len(items) == 1}
        without = dict(self.without)
        for case, items in sorted(claims.items()):
            if len(items) > 1:
                places = some([self.place(item) for item in items])
                without[case] = Code.LABELS_AMBIGUOUS, f"several label maps claim this case: {places}; keep one"
        return maps, {case: why for case, why in without.items() if case not in maps}


def find_label_maps(folder: Path, owner: str = "IN") -> LabelMaps:
    """The label maps that some program or person left below ``folder``: ours by their records, others by their names.

    Where a folder holds both, both are found. ``owner`` says in a message whose the folder is. ``UsageError`` when
    there are none.
    """
    if not folder.is_dir():
        raise UsageError(f"{owner} {folder}: must be a folder of label maps, {_what_else(folder)}")
    ours, without, known = _recorded(folder)
    others, loose = _foreign_files(folder, known)
    told = sort_files(folder, others)
    left = (
        *told.left_out,
        *(LeftOutFile(file.relative_to(folder).as_posix(), FileKind.LABEL_MAP, _LOOSE) for file in loose),
        *not_read(folder),
    )
    files = [*ours, *(_by_name(file, folder) for file in told.label_maps)]
    if not files and not without:
        raise _none(f"{owner} {folder}", "label maps", left)
    kept = sum(len(_members(item.path)) for item in ours) + len(told.label_maps)
    account = Account("label maps", kept, left, frozenset({FileKind.LABEL_MAP}))
    return LabelMaps(folder, tuple(sorted(files, key=lambda item: item.path)), without, account)


def find_references(folder: Path, owner: str = "REFERENCE") -> LabelMaps:
    """Label maps that somebody drew: those of the studies found in the folder, and bare ones by their names.

    Our own results are never taken for references. ``UsageError`` when there are none.
    """
    archive = archive_of(folder)
    if not folder.is_dir() and archive is None:
        raise UsageError(f"{owner} {folder}: must be a folder of references, {_what_else(folder)}")
    cases = find_cases(folder)
    found = [LabelMapFile(case.id, case.reference, case.dialect) for case in cases if case.reference is not None]
    used = {file for item in found for file in _members(item.path)}
    left: tuple[LeftOutFile, ...] = ()
    if archive is None:  # in a zip only pictures are looked for, and those are studies
        listing = list_images(folder)
        others = [file for files in listing.folders.values() for file in files if file not in used]
        told = sort_files(folder, others, scans=_scans(cases))
        found += [_by_name(file, folder) for file in told.label_maps]
        left = (*told.left_out, *not_read(folder))
    if not found:
        raise _none(f"{owner} {folder}", "references", left, "; results of bratsseg count as predictions only")
    used |= {file for item in found for file in _members(item.path)}
    account = Account("label maps", len(used), left, frozenset({FileKind.LABEL_MAP}))
    return LabelMaps(folder, tuple(sorted(found, key=lambda item: item.path)), {}, account)


def label_map_beside(folder: Path, record: CaseRecord) -> LabelMapFile:
    """The label map of a result whose files lie in ``folder``."""
    return LabelMapFile(record.case, folder / record.label_file, record.dialect, record)


def references_of(cases: Iterable[Case]) -> dict[str, LabelMapFile]:
    """The references of studies, by case id; studies without one are passed over."""
    found = ((case.id, case.reference, case.dialect) for case in cases)
    return {name: LabelMapFile(name, path, dialect) for name, path, dialect in found if path is not None}


def _recorded(folder: Path) -> tuple[list[LabelMapFile], dict[str, Reason], dict[Path, set[str]]]:
    """Our own label maps, our cases without one, and by folder the names of files that records speak for."""
    maps, without, known = [], {}, {}
    for place, record in find_records(folder):
        known[place] = {record_beside(place).name, *record.outputs}
        if record.status == "done" and (record.masks or record.label_file in record.outputs):
            maps.append(label_map_beside(place, record))
        else:
            why = (record.reason or "it has no label map").removeprefix(f"case {record.case}: ")
            reason = f"{record.status}: {why}"
            without[record.case] = (record.code or Code.NOT_WRITTEN, reason)
    return maps, without, known


def _foreign_files(folder: Path, known: Mapping[Path, set[str]]) -> tuple[list[Path], list[Path]]:
    """Image files that no record speaks for; and those of ours that a record beside them ought to list and does not.

    What a run set aside, and the BIDS data set that is made from the results, belong to the records.
    """
    foreign: list[Path] = []
    loose: list[Path] = []
    for place, files in list_images(folder, ours=True).folders.items():
        derived = known and place.relative_to(folder).parts[:1] == (BIDS_FOLDER,)
        if derived or (place.name.startswith(EDITED) and place.parent in known):
            continue
        for file in (file for file in files if file.name not in known.get(place, ())):
            ours = carries_mark(file) or is_result_file(file.name, place.name)
            (loose if place in known and ours else foreign).append(file)
    return foreign, loose


def _scans(cases: Iterable[Case]) -> set[Path]:
    sources = {source.path for case in cases for source in case.sources.values()}
    return sources | {case.mask for case in cases if case.mask is not None}


def _by_name(file: Path, root: Path) -> LabelMapFile:
    stem = stem_of(file)
    family = family_id(stem)
    dialect = dialect_of(family, file.parent, root) if family else None
    draft = assemble("", "", read_names([file]), "", dialect)
    case = family or _id_below(root, file.parent / key_of(stem))
    return LabelMapFile(case, file, draft.dialect or _marked_dialect(file))


def _id_below(root: Path, place: Path) -> str:
    """The id by names below ``root``; two folders of label maps, ``pred`` and ``truth``, speak of the same cases.

    A root that is called as a patient counts too: it is one of the folders of a larger set.
    """
    top = root.resolve()
    return id_of(top / place.relative_to(root), None if looks_like_patient(top.name) else top)


def _marked_dialect(file: Path) -> str | None:
    """The dialect in the mark of a label map of ours that was taken away from its record."""
    said = mark_of(file).split()
    return said[-1] if said and said[-1] in DIALECTS else None


def _members(path: Path) -> list[Path]:
    return [member.path for member in members(path)] if is_stack(path) else [path]


def _none(owner: str, what: str, left: Iterable[LeftOutFile], more: str = "") -> UsageError:
    found = "; ".join(f"{number} {why}" for why, number in Counter(item.why for item in left).items())
    return UsageError(
        f"{owner}: must hold {what} as label maps (<case>_seg.nii.gz, <case>-seg.nii.gz, or <case>.nii.gz), found none"
        f"{f' ({found})' if found else ''}{more}"
    )


def _what_else(folder: Path) -> str:
    return "was a file" if folder.exists() else "does not exist"
