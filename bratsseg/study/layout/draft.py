"""Draft: a case as one layout sees it, before ids are settled over the whole folder."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bratsseg.errors import LabelError, ModalityAmbiguous
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.roles import Role, is_variant, key_of, role_of, says_something, shared_start, stem_of
from bratsseg.study.modality import Modality, candidates
from bratsseg.study.sidecar import witness_of

_SEPARATOR = re.compile(r"[\W_]+")
_BRATS2013 = re.compile(r"OTMultiClass|VSD\..*\.OT(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class FileName:
    """A file and what its name claims it to be; ``key`` is what the name says besides."""

    path: Path
    key: str
    role: Role | None
    claims: frozenset[Modality]

    @property
    def stem_first(self) -> bool:
        """True when the key is what the stem starts with, as in ``case7_T1`` and not in ``T1_case7``."""
        return bool(self.key) and stem_of(self.path).startswith(self.key)

    @property
    def is_scan(self) -> bool:
        """True when the name claims a modality and no other role."""
        return self.role is None and bool(self.claims)


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


def read_names(files: Sequence[Path], hint: str | None = None) -> list[FileName]:
    """What each file's name claims; ``hint`` is a folder name that speaks for files that say nothing."""
    stems = [stem_of(file) for file in files]
    cut = _patient_words(stems)
    named = []
    for path, stem in zip(files, stems, strict=True):
        rest = stem[cut:]
        role, claims, key = role_of(rest), candidates(rest), (stem[:cut] + key_of(rest)).rstrip(" _-.")
        if hint is not None and role is None and not claims:
            role, claims, key = role_of(hint), candidates(hint), stem
        named.append(FileName(path, key, role, frozenset() if role else frozenset(claims)))
    return named


def _patient_words(stems: Sequence[str]) -> int:
    """How much of the start that all stems share is the patient's: all of it, unless it is what names the modality."""
    start = shared_start(stems)
    if not start or not says_something(stems[0][:start]):
        return start
    said = {(role_of(stem[start:]), frozenset(candidates(stem[start:]))) for stem in stems}
    return start if len(said - {(None, frozenset())}) > 1 else 0


def assemble(name: str, place: str, files: Sequence[FileName], layout: str, dialect: str | None = None) -> Draft:
    """Give every modality its file; where two claim one and no sidecar separates them, a fatal problem says so."""
    files = without_variants(with_sidecars(files))
    sources, problems = _assigned([file for file in files if file.role is None])
    reference, notes = _only(files, Role.REFERENCE)
    mask, more = _only(files, Role.MASK)
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
        sure = [file.path for file in scans if file.claims == {modality}]
        if len(sure) == 1:
            sources[modality] = VolumeSource(sure[0])
        elif sure:
            problems.append(_problem(f"{_listed(sure)} all claim to be {modality.label}; keep one, or use --layout"))
    for file in scans:
        if len(file.claims) > 1:
            labels = " or ".join(modality.label for modality in Modality if modality in file.claims)
            problems.append(_problem(f"{file.path.name} may be {labels}; rename it, or use --layout"))
    return sources, problems


def _left_out(files: Sequence[FileName]) -> list[Problem]:
    """What a user may miss: other versions of a scan, and masks of which nobody says what they mask."""
    notes = []
    if variants := [file.path for file in files if file.role is Role.VARIANT]:
        text = f"{_listed(variants)} ignored: a plainer name is there"
        notes.append(Problem(ModalityAmbiguous, text, fatal=False))
    if undecided := [file.path for file in files if file.role is Role.UNDECIDED]:
        text = f"{_listed(undecided)} ignored: the name says not whether brain or tumour; use --layout"
        notes.append(Problem(LabelError, text, fatal=False))
    return notes


def with_sidecars(files: Sequence[FileName]) -> list[FileName]:
    """Ask sidecars about scans whose names say nothing or do not decide, and about two that claim one modality."""
    asked = [_with_sidecar(file) if file.role is None and len(file.claims) != 1 else file for file in files]
    times = Counter(file.claims for file in asked if file.is_scan)
    return [_with_sidecar(file) if times[file.claims] > 1 else file for file in asked]


def without_variants(files: Sequence[FileName]) -> list[FileName]:
    """Mark ``T1_bias`` beside ``T1`` as another version, so that the plainest name is the scan."""
    stems = {stem_of(file.path): file for file in files if file.is_scan}
    marked = []
    for file in files:
        stem = stem_of(file.path)
        bases = [stem[: gap.start()] for gap in _SEPARATOR.finditer(stem)]
        same = [base for base in bases if base in stems and stems[base].claims == file.claims]
        variant = file.is_scan and any(is_variant(stem, base) for base in same)
        marked.append(replace(file, role=Role.VARIANT) if variant else file)
    return marked


def _with_sidecar(file: FileName) -> FileName:
    claims = _sidecar_claims(file.path)
    return replace(file, claims=claims & file.claims or claims or file.claims)


def _sidecar_claims(path: Path) -> frozenset[Modality]:
    sidecar = path.with_name(f"{stem_of(path)}.json")
    try:
        facts = json.loads(sidecar.read_bytes())
    except (OSError, ValueError, RecursionError):
        return frozenset()
    return witness_of(facts).claims if isinstance(facts, dict) else frozenset()


def _only(files: Iterable[FileName], role: Role) -> tuple[Path | None, tuple[Problem, ...]]:
    found = [file.path for file in files if file.role is role]
    if len(found) > 1:
        text = f"{_listed(found)} ignored: only one {role.value} can be; use --layout to say which"
        return None, (Problem(LabelError, text, fatal=False),)
    return (found[0] if found else None), ()


def _problem(message: str) -> Problem:
    return Problem(ModalityAmbiguous, message)


def _listed(paths: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:4])
    return shown if len(paths) <= 4 else f"{shown} and {len(paths) - 4} more"
