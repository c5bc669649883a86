"""A folder per case, whatever the names; and flat folders whose names share a case stem."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bratsseg.study.case import Problem
from bratsseg.study.layout.draft import Draft, Named, assemble, read_names, with_sidecars
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.roles import stem_of

_SERIES = re.compile(r"(?:series|serie|ser|se|s|scan|img|image|im|seq|acq|vol)?[\W_]*", re.IGNORECASE)


def find(listing: Listing) -> list[Draft]:
    """One case per folder, or one per stem where a folder plainly holds several patients."""
    drafts = []
    for folder, files in listing.folders.items():
        named = with_sidecars(read_names(files))
        groups = _patients(named)
        if groups:
            drafts += [assemble(key, listing.below_root(folder / key), group, "flat") for key, group in groups.items()]
        else:
            drafts.append(_one(listing, folder, named))
    return drafts


def _one(listing: Listing, folder: Path, named: list[Named]) -> Draft:
    """The folder as one case, named by the folder, or at the root by the stem that its files share."""
    keys = {file.key if stem_of(file.path).startswith(file.key) else "" for file in named if file.is_scan}
    name, place = folder.resolve().name, listing.below_root(folder)
    if folder == listing.root and len(keys) == 1 and (key := keys.pop()):
        name = place = key
    draft = assemble(name, place, named, "folder")
    if draft.sources or draft.problems:
        return draft
    return replace(draft, problems=_unknown([file.path for file in named if file.role is None]))


def _unknown(scans: list[Path]) -> tuple[Problem, ...]:
    if not scans:
        return ()
    some = ", ".join(path.name for path in scans[:3]) + (f" and {len(scans) - 3} more" if len(scans) > 3 else "")
    text = f"no file name says which modality it is ({some}); rename the files, or say which is which with --layout"
    return (Problem("modality_ambiguous", text),)


def _patients(named: list[Named]) -> dict[str, list[Named]]:
    """Files by case stem when a flat folder holds several patients, else nothing."""
    groups: dict[str, list[Named]] = defaultdict(list)
    for file in named:
        groups[file.key].append(file)
    scans = {key: [file.claims for file in group if file.is_scan] for key, group in groups.items()}
    scans = {key: claims for key, claims in scans.items() if claims}
    if len(scans) < 2 or "" in scans or any(len(set(claims)) < len(claims) for claims in scans.values()):
        return {}
    alone = all(len(claims) == 1 for claims in scans.values())
    kinds = {claims[0] for claims in scans.values()}
    together = [claim for claims in scans.values() for claim in claims]
    unique = len(set(together)) == len(together)
    if (alone and len(kinds) > 1 and not _numbered(scans)) or (unique and not alone and not _numbered(scans)):
        return {}
    return {key: group for key, group in groups.items() if key in scans}


def _numbered(keys: Iterable[str]) -> bool:
    """True when stems differ in a number only, and that is no series number: P1, P2, but not 3, 4 or series3."""
    patterns = {re.sub(r"\d+", "#", key) for key in keys}
    return len(patterns) == 1 and not _SERIES.fullmatch(patterns.pop().replace("#", ""))


def without_noise(drafts: list[Draft]) -> list[Draft]:
    """Drop folders of unknown files that lie above a usable case: an atlas beside the patients is no patient."""
    usable = [draft.place for draft in drafts if draft.sources]
    return [
        draft
        for draft in drafts
        if draft.sources or not any(draft.place == "." or place.startswith(f"{draft.place}/") for place in usable)
    ]
