"""Account for every image file of a folder of studies: used by a case, or left out and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bratsseg.study.account import Account, FileKind, LeftOutFile
from bratsseg.study.case import Case
from bratsseg.study.layout.listing import list_images, list_pictures
from bratsseg.study.layout.roles import PICTURE_SUFFIXES, SUFFIXES, UNREAD_SUFFIXES, FileRole, role_of, stem_of
from bratsseg.study.modality import read_name
from bratsseg.study.stack import archive_of, members


class _Fate(NamedTuple):
    """What a file that was left out looks like, and why it was."""

    kind: FileKind
    why: str


_BY_ROLE: dict[FileRole, _Fate] = {
    FileRole.REFERENCE: _Fate(FileKind.LABEL_MAP, "label maps that no study has"),
    FileRole.UNDECIDED: _Fate(FileKind.LABEL_MAP, "masks that do not say of what"),
    FileRole.MASK: _Fate(FileKind.OTHER, "brain masks"),
    FileRole.DERIVED: _Fate(FileKind.OTHER, "made by programs"),
}
_NOT_NAMED = _Fate(FileKind.OTHER, "not named by the layout")
_OTHER_SEQUENCE = _Fate(FileKind.OTHER, "other sequences or maps")
_OTHER_VERSION = _Fate(FileKind.OTHER, "other versions of a scan")
_NOT_TAKEN = _Fate(FileKind.SCAN, "but no study took it; name it with --layout")
NOT_READ = "in a format that is not read; convert it to NIfTI"
"""Why a volume was left out whose format nothing here reads."""
_UNKNOWN = _Fate(FileKind.SCAN, "but its name does not say of what; rename it, or name it with --layout")


def account_for(
    folder: Path, cases: Sequence[Case], *, layout: Path | None = None, references: bool = False
) -> Account:
    """What became of the image files below ``folder``, in which ``cases`` were found, by ``layout`` where one is given.

    Files of a refused case are left out with it: the case says what is wrong. Scans must not be overlooked. With
    ``references``, where nobody tells of refused cases one by one, neither must theirs nor label maps. Pictures count
    where a case is made of them, or nothing else is there.
    """
    of_refused = _Fate(FileKind.SCAN if references else FileKind.OTHER, "of refused studies")
    used = {file for case in cases for file in _used_by(case)}
    refused = {file for case in cases if any(problem.fatal for problem in case.problems) for file in case.looked_at}
    taken = {file for case in cases for file in case.looked_at} - refused
    left = []
    volumes, unread = _volumes(folder)
    for file in (*volumes, *_pictures(folder, cases, alone=not volumes)):
        if file in used:
            continue
        fate = _NOT_NAMED if layout is not None else of_refused if file in refused else _fate(file, file in taken)
        left.append(LeftOutFile(file.relative_to(folder).as_posix(), *fate))
    left += [LeftOutFile(name, FileKind.SCAN, NOT_READ) for name in unread]
    missed = frozenset({FileKind.SCAN, FileKind.LABEL_MAP} if references else {FileKind.SCAN})
    return Account("scans", len(used), tuple(left), missed)


def unread_in(folder: Path) -> list[str]:
    """Paths below ``folder`` of volumes in formats that nothing here reads."""
    return _volumes(folder)[1]


def _used_by(case: Case) -> Iterator[Path]:
    """The files that a case that is not refused is made of."""
    if any(problem.fatal for problem in case.problems):
        return
    for path in (*(source.path for source in case.sources.values()), case.reference, case.mask):
        if path is not None:
            yield from (member.path for member in members(path))


def _volumes(folder: Path) -> tuple[list[Path], list[str]]:
    """The volumes below ``folder`` by one walk, and the paths of those in formats that nothing here reads."""
    if archive_of(folder) is not None:
        return [], []
    listing = list_images(folder, (*SUFFIXES, *UNREAD_SUFFIXES))
    found = [file for files in listing.folders.values() for file in files]
    volumes = [file for file in found if not file.name.lower().endswith(UNREAD_SUFFIXES)]
    unread = [listing.below_root(file) for file in found if file.name.lower().endswith(UNREAD_SUFFIXES)]
    return volumes, unread


def _pictures(folder: Path, cases: Sequence[Case], *, alone: bool) -> Iterator[Path]:
    """The pictures below ``folder``, where they are ``alone`` or a case is made of some."""
    sources = (source.path for case in cases for source in case.sources.values())
    if alone or any(path.name.lower().endswith(PICTURE_SUFFIXES) for path in sources):
        yield from (file for files in list_pictures(folder).folders.values() for file in files)


def _fate(file: Path, taken: bool) -> _Fate:
    """Why a file was left out, by its name; ``taken`` when a case that stands looked at it."""
    stem = stem_of(file)
    role = role_of(stem)
    if role in _BY_ROLE:
        return _BY_ROLE[role]
    said = read_name(stem)
    if said.other:
        return _OTHER_SEQUENCE
    if said.claims:
        return _OTHER_VERSION if taken else _NOT_TAKEN
    return _UNKNOWN
