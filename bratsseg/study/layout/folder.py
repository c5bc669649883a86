"""A folder per case, whatever the names; and flat folders whose names share a case stem."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from bratsseg.errors import ModalityAmbiguous
from bratsseg.study.case import Problem
from bratsseg.study.layout.draft import Draft, assemble
from bratsseg.study.layout.filename import FileName, read_names
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.roles import role_of
from bratsseg.study.layout.versions import without_variants
from bratsseg.study.layout.witness import with_sidecars
from bratsseg.study.patient import identify
from bratsseg.study.visit import is_sure_visit, looks_like_patient, read_visit, tells
from bratsseg.wording import some

_SERIES = re.compile(
    r"(?:series|serie|ser|se|s|scan|img|image|im|seq|acq|vol|ax|axial|sag|cor|tra|mri?)?[\W_]*", re.IGNORECASE
)


def find(listing: Listing) -> list[Draft]:
    """One case per folder, or one per stem where a folder plainly holds several patients."""
    drafts = []
    for folder, files in listing.folders.items():
        named = without_variants(with_sidecars(read_names(files)))
        groups = _patients(named)
        if groups:
            drafts += [_of_stem(listing, folder / key, group, "flat") for key, group in groups.items()]
        else:
            drafts.append(_one(listing, folder, named))
    return drafts


def _one(listing: Listing, folder: Path, named: list[FileName]) -> Draft:
    """The folder as one case, named by the folder; or by the stem that its files share, where the folder's says less.

    That is at the root, unless the root is a patient's or a visit's; and where the stem is a visit's
    (``P1/2019-01-11_flair``), so that the next visit's files beside it change nothing.
    """
    keys = {file.key if file.stem_first else "" for file in named if file.is_scan}
    key = keys.pop() if len(keys) == 1 else ""
    if key and (_is_visit_beside_others(key, folder) or (folder == listing.root and _is_loose(folder.resolve(), key))):
        draft = _of_stem(listing, folder / key, named, "folder")
    else:
        draft = assemble(listing.id_of(folder), listing.below_root(folder), named, "folder")
    if draft.sources or draft.problems or role_of(folder.name) is not None:
        return draft  # a folder called labels or predictions holds no scans
    return replace(draft, problems=_unknown([file.path for file in named if file.role is None]))


def _is_visit_beside_others(key: str, folder: Path) -> bool:
    """True for a stem that names a visit in its patient's folder, ``Miller/2019-01-11`` or ``Miller/Miller_preop``.

    In the visit's own folder, ``P1/2019-01-11/2019-01-11_flair``, the stem says it once more.
    """
    place = folder.resolve()
    if is_sure_visit(key):
        return read_visit(place.name, place.parent.name) is None
    owner = identify(key)
    return owner.visit is not None and owner.patient == place.name


def _is_loose(root: Path, key: str) -> bool:
    """True when the files at the root are called by a stem that tells more than the root's own name."""
    owned = looks_like_patient(root.name) or read_visit(root.name, root.parent.name) is not None
    return tells(key) and not owned


def _of_stem(listing: Listing, place: Path, files: list[FileName], layout: str) -> Draft:
    return assemble(listing.id_of(place), listing.below_root(place), files, layout)


def _unknown(scans: list[Path]) -> tuple[Problem, ...]:
    if not scans:
        return ()
    named = some([path.name for path in scans], 3)
    text = f"no file name says which modality it is ({named}); rename the files, or say which is which with --layout"
    return (Problem(ModalityAmbiguous, text),)


def _patients(named: list[FileName]) -> dict[str, list[FileName]]:
    """Files by case stem when a flat folder holds several patients, otherwise nothing."""
    groups: dict[str, list[FileName]] = defaultdict(list)
    for file in named:
        groups[file.key].append(file)
    scans = {key: [file.claims for file in group if file.is_scan] for key, group in groups.items()}
    scans = {key: claims for key, claims in scans.items() if claims}
    if len(scans) < 2 or "" in scans or any(len(set(claims)) < len(claims) for claims in scans.values()):
        return {}
    together = [claim for claims in scans.values() for claim in claims]
    if any(not file.stem_first and not re.search(r"\d", file.key) for file in named if file.is_scan):
        return {}  # T1_raw and T1_brain are no patients
    if all(len(claims) == 1 for claims in scans.values()) and len(set(together)) > 1 and not _numbered(named):
        return {}  # a scan each, and not of the same kind: series
    return {key: group for key, group in groups.items() if key in scans}


def _numbered(named: list[FileName]) -> bool:
    """True when case stems differ in a number only, and that is no series number: P1, P2, but not 3, 4 or series3."""
    scans = [file for file in named if file.is_scan]
    patterns = {re.sub(r"\d+", "#", file.key) for file in scans}
    same = len(patterns) == 1 and all(file.stem_first for file in scans)
    return same and not _SERIES.fullmatch(patterns.pop().replace("#", ""))


def without_noise(drafts: list[Draft]) -> list[Draft]:
    """Drop folders of unknown files that lie above a usable case: an atlas beside the patients is no patient."""
    usable = [draft.place for draft in drafts if draft.sources]
    return [
        draft
        for draft in drafts
        if draft.sources or not any(draft.place == "." or place.startswith(f"{draft.place}/") for place in usable)
    ]
