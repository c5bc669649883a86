"""Draft: a case as one layout sees it, before ids are settled over the whole folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bratsseg.errors import LabelError, ModalityAmbiguous
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.filename import FileName
from bratsseg.study.layout.roles import FileRole, stem_of
from bratsseg.study.layout.versions import without_variants
from bratsseg.study.layout.witness import weighed
from bratsseg.study.modality import Modality, words
from bratsseg.wording import some

_BRATS2013 = re.compile(r"OTMultiClass|VSD\..*\.OT(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Draft:
    """A case with the ``name`` the user knows it by and the ``place`` below the root that tells it from namesakes."""

    name: str
    place: str
    layout: str
    sources: dict[Modality, VolumeSource]
    claimed: frozenset[Path]
    reference: Path | None = None
    mask: Path | None = None
    dialect: str | None = None
    problems: tuple[Problem, ...] = ()


def assemble(name: str, place: str, files: Sequence[FileName], layout: str, dialect: str | None = None) -> Draft:
    """Give every modality its file; where two claim one and no sidecar separates them, a fatal problem says so."""
    files = without_variants(weighed(files))
    sources, problems = _assigned([file for file in files if file.role is None])
    reference, notes = _only(files, FileRole.REFERENCE)
    mask, more = _only(files, FileRole.MASK)
    if reference is not None and _BRATS2013.search(stem_of(reference)):
        dialect = "brats2013"
    return Draft(
        name=name,
        place=place,
        layout=layout,
        sources=sources,
        claimed=frozenset(file.path for file in files),
        reference=reference,
        mask=mask,
        dialect=dialect if reference else None,
        problems=(*problems, *notes, *more, *_left_out(files)),
    )


def _assigned(scans: Sequence[FileName]) -> tuple[dict[Modality, VolumeSource], list[Problem]]:
    problems: list[Problem] = []
    sources: dict[Modality, VolumeSource] = {}
    for modality in Modality:
        sure = [file for file in scans if file.claims == {modality}]
        if len(sure) > 1:
            text = f"{_listed([file.path for file in sure])} all claim to be {modality.label}{_unknown_words(sure)}"
            problems.append(_problem(f"{text}; keep one, or use --layout"))
        elif sure and not sure[0].conflict:
            sources[modality] = VolumeSource(sure[0].path)
    for file in scans:
        if file.conflict:
            problems.append(_problem(file.conflict))
        elif len(file.claims) > 1:
            labels = " or ".join(modality.label for modality in Modality if modality in file.claims)
            open_by = f" (open by {', '.join(map(repr, dict.fromkeys(file.hedged)))})" if file.hedged else ""
            problems.append(_problem(f"{file.path.name} may be {labels}{open_by}; rename it, or use --layout"))
    return sources, problems


def _left_out(files: Sequence[FileName]) -> list[Problem]:
    """What a user may miss: other versions, masks that say not of what, words that may have spoken of contrast."""
    notes = _unread_words(files)
    notes += [Problem(ModalityAmbiguous, file.remark, fatal=False) for file in files if file.remark]
    if variants := [file.path for file in files if file.role is FileRole.VARIANT]:
        text = f"{_listed(variants)} ignored: a plainer name is there"
        notes.append(Problem(ModalityAmbiguous, text, fatal=False))
    if undecided := [file.path for file in files if file.role is FileRole.UNDECIDED]:
        text = f"{_listed(undecided)} ignored: the name says not whether brain or tumour; use --layout"
        notes.append(Problem(LabelError, text, fatal=False))
    return notes


def _unread_words(files: Sequence[FileName]) -> list[Problem]:
    """Words that nobody knows behind the only T1: what is taken for one without contrast may be one with it.

    What other scans of the case are called as well is the patient's.
    """
    scans = [file for file in files if file.is_scan and not file.conflict]
    if any(Modality.T1C in file.claims for file in scans):
        return []
    keys = Counter(file.key for file in scans)
    notes = []
    for file in scans:
        owned = set(words(file.key)) if keys[file.key] > 1 else set()
        unread = [word for word in dict.fromkeys(file.behind) if word not in owned]
        if file.claims == {Modality.T1N} and unread:
            text = f"{file.path.name} taken for T1 without contrast, but {', '.join(map(repr, unread))} not known"
            notes.append(Problem(ModalityAmbiguous, f"{text}; rename it if it is T1ce", fatal=False))
    return notes


def _only(files: Iterable[FileName], role: FileRole) -> tuple[Path | None, tuple[Problem, ...]]:
    found = [file.path for file in files if file.role is role]
    if len(found) > 1:
        text = f"{_listed(found)} ignored: only one {role.value} can be; use --layout to say which"
        return None, (Problem(LabelError, text, fatal=False),)
    return (found[0] if found else None), ()


def _problem(message: str) -> Problem:
    return Problem(ModalityAmbiguous, message)


def _unknown_words(files: Sequence[FileName]) -> str:
    """The words that some of the files have and nobody knows: they may be what tells the scans apart."""
    times = Counter(word for file in files for word in set(file.unknown) if word.isalpha() and len(word) > 1)
    apart = [word for word, count in times.items() if count < len(files)]
    return f" ({', '.join(map(repr, apart))} not known)" if apart else ""


def _listed(paths: Sequence[Path]) -> str:
    """File names, with their folders where names are equal."""
    times = Counter(path.name for path in paths)
    return some([f"{path.parent.name}/{path.name}" if times[path.name] > 1 else path.name for path in paths])
