"""Draft: a case as one layout sees it, before ids are settled over the whole folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.roles import Role, role_of, stem_of, without_shared_start
from bratsseg.study.modality import Modality, candidates, candidates_from_sidecar

_BRATS2013 = re.compile(r"OTMultiClass|VSD\..*\.OT(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """A file and what its name claims it to be."""

    path: Path
    role: Role | None
    claims: frozenset[Modality]

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


def read_names(files: Sequence[Path], hint: str | None = None) -> list[Named]:
    """What each file's name claims; ``hint`` is a folder name that speaks for files that say nothing."""
    named = []
    for path, stem in zip(files, without_shared_start([stem_of(file) for file in files]), strict=True):
        role, claims = role_of(stem), candidates(stem)
        if hint is not None and role is None and not claims:
            role, claims = role_of(hint), candidates(hint)
        named.append(Named(path, role, frozenset() if role else frozenset(claims)))
    return named


def assemble(name: str, place: str, files: Sequence[Named], layout: str, dialect: str | None = None) -> Draft:
    """Give every modality its file; where two claim one and no sidecar separates them, a fatal problem says so."""
    scans = [_with_sidecar(file) for file in files if file.role is None]
    scans = _separated(scans)
    problems: list[Problem] = []
    sources: dict[Modality, VolumeSource] = {}
    for modality in Modality:
        sure = [file.path for file in scans if file.claims == {modality}]
        if len(sure) == 1:
            sources[modality] = VolumeSource(sure[0])
        elif sure:
            problems.append(_problem(f"{_listed(sure)} all claim to be {modality.label}; keep one, or use --layout"))
    for file in scans:
        if len(file.claims) > 1 and not file.claims <= sources.keys():
            labels = " or ".join(modality.label for modality in Modality if modality in file.claims)
            problems.append(_problem(f"{file.path.name} may be {labels}; rename it, or use --layout"))
    reference, notes = _only(files, Role.REFERENCE)
    mask, more = _only(files, Role.MASK)
    undecided = [file.path for file in files if file.role is Role.UNDECIDED]
    if undecided:
        more += (_note(f"{_listed(undecided)} ignored: the name says not whether brain or tumour; use --layout"),)
    if reference is not None and _BRATS2013.search(stem_of(reference)):
        dialect = "brats2013"
    claimed = frozenset(file.path for file in files)
    return Draft(
        name,
        place,
        layout,
        sources,
        claimed,
        reference,
        mask,
        dialect if reference else None,
        (*problems, *notes, *more),
    )


def _with_sidecar(file: Named) -> Named:
    """Ask the sidecar about a scan whose name says nothing or does not decide."""
    if len(file.claims) == 1:
        return file
    claims = _sidecar_claims(file.path)
    if file.claims and claims & file.claims:
        claims &= file.claims
    return Named(file.path, file.role, claims) if claims else file


def _separated(scans: list[Named]) -> list[Named]:
    """Let sidecars separate scans that claim the same modality: a bare "T1" twice, one with a contrast agent."""
    counts = [sum(other.claims == scan.claims for other in scans) for scan in scans]
    return [
        Named(scan.path, scan.role, _sidecar_claims(scan.path) or scan.claims) if count > 1 and scan.claims else scan
        for scan, count in zip(scans, counts, strict=True)
    ]


def _sidecar_claims(path: Path) -> frozenset[Modality]:
    sidecar = path.with_name(f"{stem_of(path)}.json")
    try:
        facts = json.loads(sidecar.read_bytes())
    except (OSError, ValueError, RecursionError):
        return frozenset()
    return frozenset(candidates_from_sidecar(facts)) if isinstance(facts, dict) else frozenset()


def _only(files: Iterable[Named], role: Role) -> tuple[Path | None, tuple[Problem, ...]]:
    found = [file.path for file in files if file.role is role]
    if len(found) > 1:
        return None, (_note(f"{_listed(found)} ignored: only one {role.value} can be; use --layout to say which"),)
    return (found[0] if found else None), ()


def _problem(message: str) -> Problem:
    return Problem("modality_ambiguous", message)


def _note(message: str) -> Problem:
    return Problem("labels_invalid", message, fatal=False)


def _listed(paths: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:4])
    return shown if len(paths) <= 4 else f"{shown} and {len(paths) - 4} more"
