"""BIDS: ``sub-X[/ses-Y]/anat/sub-X[_ses-Y][_ce-<agent>]_{T1w,T2w,FLAIR}.nii.gz``; T1ce is the ``ce-`` entity."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from bratsseg.study.layout.draft import Draft, assemble
from bratsseg.study.layout.filename import FileName, named_as
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.roles import FileRole, role_of, stem_of
from bratsseg.study.modality import read_name

_SCANS = ("FLAIR", "T2w", "T1w")
_NAME = re.compile(
    r"(?P<sub>sub-[A-Za-z0-9]+)(?:_(?P<ses>ses-[A-Za-z0-9]+))?(?P<entities>(?:_[a-z]+-[^_]+)*)_(?P<suffix>\w+)"
)
_SESSION = re.compile(r"ses-[A-Za-z0-9]+")


def find(listing: Listing) -> list[Draft]:
    """One case per subject and session of a dataset; scans below ``derivatives`` are left out, label maps are not."""
    cases: dict[tuple[Path, str], list[FileName]] = defaultdict(list)
    for folder, files in listing.folders.items():
        home = _dataset_of(folder, listing.root)
        for file in files:
            match = _NAME.fullmatch(stem_of(file))
            if match and home is not None:
                session = match["ses"] or _session_above(folder, home)
                name = "_".join(part for part in (match["sub"], session) if part)
                cases[home, name].append(_named(file, match, "derivatives" in folder.relative_to(home).parts))
    return [
        assemble(name, listing.below_root(home / name), files, "bids")
        for (home, name), files in cases.items()
        if any(file.is_scan for file in files)
    ]


def _dataset_of(folder: Path, root: Path) -> Path | None:
    """The dataset's top: above ``sub-X``, and above ``derivatives`` when the subject lies below one."""
    inside = [place for place in reversed((folder, *folder.parents)) if place.is_relative_to(root)]
    subject = next((place for place in inside if place.name.startswith("sub-")), None)
    if subject is None:
        return None
    derivatives = next((place for place in inside if place.name == "derivatives"), None)
    if derivatives is not None and derivatives != root:
        return derivatives.parent
    return subject if subject == root else subject.parent


def _session_above(folder: Path, home: Path) -> str | None:
    """The session of files that do not name it themselves: ``sub-X/ses-Y/anat/sub-X_T1w``."""
    return next((part for part in folder.relative_to(home).parts if _SESSION.fullmatch(part)), None)


def _named(file: Path, match: re.Match[str], derived: bool) -> FileName:
    suffix = match["suffix"]
    if suffix in _SCANS and not derived:
        said = read_name(f"{match['entities']}_{suffix}")  # ce-gadolinium, ce-none, but also acq-postGd
        return named_as(file, "", None, said)
    role = role_of(stem_of(file)) if suffix not in _SCANS else None
    return FileName(file, "", role or FileRole.DERIVED, frozenset())
