"""A folder per modality: each file of a patient in a folder of its own, as BraTS 2013 to 2015 have it, or all patients'
FLAIR in one folder and all their T1 in another."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from bratsseg.study.layout.brats import dialect_of, family_id
from bratsseg.study.layout.draft import Draft, assemble
from bratsseg.study.layout.filename import FileName, read_names
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.roles import FileRole, role_of, stem_of
from bratsseg.study.modality import candidates


def find(listing: Listing) -> list[Draft]:
    """Cases whose files lie in sibling folders that are named after modalities."""
    by_parent: dict[Path, dict[Path, str]] = defaultdict(dict)
    below = _count_below(listing)
    for folder in listing.folders:
        spoken = _speaking(folder, listing, below)
        if spoken is not None and _of_one_kind(listing.folders[folder]):
            by_parent[spoken.parent][folder] = spoken.name
    drafts = []
    for parent, children in by_parent.items():
        if len({frozenset(candidates(name)) for name in children.values() if role_of(name) is None}) < 2:
            continue
        named = [file for child, name in children.items() for file in _named(listing, child, name)]
        if all(len(listing.folders[child]) == 1 for child in children):
            named += read_names(listing.folders.get(parent, ()))
            dialect = _dialect(parent.resolve().name, parent, listing.root)
            drafts.append(assemble(listing.id_of(parent), listing.below_root(parent), named, "split", dialect))
        else:
            drafts += _by_name(listing, parent, named)
    return drafts


def _speaking(folder: Path, listing: Listing, below: Counter[Path]) -> Path | None:
    """The folder named after a modality that ``folder`` is, or lies alone in (``1_FLAIR/NIFTI``); None without one."""
    while folder != listing.root and below[folder] == 1:
        if _speaks(folder.name):
            return folder
        folder = folder.parent
    return None


def _count_below(listing: Listing) -> Counter[Path]:
    """How many folders with images lie at or below each folder."""
    below: Counter[Path] = Counter()
    for folder in listing.folders:
        below.update(place for place in (folder, *folder.parents) if place.is_relative_to(listing.root))
    return below


def _speaks(name: str) -> bool:
    role = role_of(name)
    return role in (FileRole.REFERENCE, FileRole.MASK) or (role is None and len(candidates(name)) == 1)


def _of_one_kind(files: Sequence[Path]) -> bool:
    """False for a patient's folder that happens to be called T2-007: it holds several modalities."""
    return len({file.claims for file in read_names(files) if file.is_scan}) < 2


def _named(listing: Listing, child: Path, hint: str) -> list[FileName]:
    files = listing.folders[child]
    return [named for file in files for named in read_names((file,), hint=hint)]


def _by_name(listing: Listing, parent: Path, named: list[FileName]) -> list[Draft]:
    """Many patients: the same stem in each modality's folder is one case."""
    cases: dict[str, list[FileName]] = defaultdict(list)
    for file in named:
        cases[family_id(stem_of(file.path)) or file.key or stem_of(file.path)].append(file)
    return [
        assemble(
            listing.id_of(parent / name),
            listing.below_root(parent / name),
            files,
            "split",
            _dialect(name, parent, listing.root),
        )
        for name, files in cases.items()
        if any(file.is_scan for file in files)
    ]


def _dialect(name: str, parent: Path, root: Path) -> str | None:
    return dialect_of(name, parent, root) if family_id(f"{name}_seg") else None
