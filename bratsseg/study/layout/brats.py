"""BraTS of every year, flat or nested: ``BraTS2021_00000_t1ce``, ``BraTS20_Training_001_seg``, ``BraTS-GLI-…-t1c``."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from bratsseg.study.layout.draft import Draft, assemble
from bratsseg.study.layout.filename import read_names
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.roles import says_something, stem_of

_UNTIL_2021 = re.compile(r"(?P<id>brats(?:17|18|19|20|2017|2018|2019|2020|2021)_.+)_(?P<rest>[^_]+)", re.IGNORECASE)
_SINCE_2023 = re.compile(r"(?P<id>brats-[a-z]+-\d+-\d+)[-_](?P<rest>.+)", re.IGNORECASE)

_YEAR_2023 = re.compile(r"brats[\W_]*(?:peds?)?[\W_]*2023", re.IGNORECASE)


def find(listing: Listing) -> list[Draft]:
    """One case per family id and folder; a folder of one case also gives it its other files, such as a mask."""
    drafts = []
    for folder, files in listing.folders.items():
        cases: dict[str, list[Path]] = defaultdict(list)
        others = []
        for file in files:
            name = family_id(stem_of(file))
            if name is None:
                others.append(file)
            else:
                cases[name].append(file)
        if len(cases) == 1:
            next(iter(cases.values())).extend(others)
        for name, members in cases.items():
            place = listing.below_root(folder / name)
            drafts.append(assemble(name, place, read_names(members), "brats", dialect_of(name, folder, listing.root)))
    return drafts


def family_id(stem: str) -> str | None:
    """The case id in a BraTS file stem, or None when the stem is of no BraTS family."""
    for family in (_UNTIL_2021, _SINCE_2023):
        match = family.fullmatch(stem)
        if match and says_something(match["rest"]):
            return match["id"]
    return None


def dialect_of(name: str, folder: Path, root: Path) -> str | None:
    """The dialect that a family proves, otherwise None.

    PED labels were renumbered between 2023 (1 necrosis, 2 edema, 3 enhancing) and 2024 while the names stayed, so that
    a folder name that says 2023 takes the proof away. Whether GLI is 2023 or 2024 shows in the values alone.
    """
    lower = name.lower()
    if not lower.startswith("brats-"):
        return "brats2021"
    if lower.startswith(("brats-gli-", "brats-syn-")):  # SYN: synthetic patients of bratsseg
        return "brats2023"
    path = f"{root.name}/{folder.relative_to(root).as_posix()}"
    return "brats2024-ped" if lower.startswith("brats-ped-") and not _YEAR_2023.search(path) else None
