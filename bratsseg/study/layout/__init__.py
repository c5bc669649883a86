"""Layouts: a folder → the cases in it, from names and headers alone. One file per layout."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from bratsseg.study.case import Case, Problem
from bratsseg.study.layout import bids, brats, mapping, msd, nnunet, split
from bratsseg.study.layout import folder as folder_layout
from bratsseg.study.layout.draft import Draft
from bratsseg.study.layout.listing import Listing, list_images

__all__ = ["find_cases"]

_LAYOUTS = (nnunet, msd, bids, split, brats, folder_layout)  # the surest first; each sees what the ones before left


def find_cases(folder: str | Path, layout: str | Path | None = None) -> list[Case]:
    """All cases below ``folder``, sorted by id.

    ``layout`` is a CSV or YAML file that says which file is which (see ``mapping``); without it the names say so.
    Wrong or unclear files do not stop the search: their case is listed with what is wrong in ``Case.problems``.
    Raises ``UsageError`` when ``folder`` is no folder and ``ConfigError`` when ``layout`` cannot be used.
    """
    listing = list_images(Path(folder))
    if layout is not None:
        return _settled(mapping.find(listing, Path(layout)))
    drafts: list[Draft] = []
    for kind in _LAYOUTS:
        found = kind.find(listing)
        listing = listing.without(file for draft in found for file in draft.claimed)
        drafts += [draft for draft in found if draft.sources or any(problem.fatal for problem in draft.problems)]
    return _settled([*folder_layout.without_noise(drafts), *_unreadable(listing)])


def _unreadable(listing: Listing) -> list[Draft]:
    """A folder that could not be read is listed as a refused case, so that nobody takes it for empty."""
    return [
        Draft(path.name, listing.below_root(path), "", {}, frozenset(), problems=(Problem("unreadable", why),))
        for path, reason in listing.unreadable
        for why in (f"folder {listing.below_root(path)} cannot be read; {reason}",)
    ]


def _settled(drafts: list[Draft]) -> list[Case]:
    """Drafts as cases with ids that no two share, on a file system that ignores case too."""
    names: dict[str, int] = defaultdict(int)
    for draft in drafts:
        names[draft.name.casefold()] += 1
    cases, taken = [], {name for name, count in names.items() if count == 1}
    for draft in sorted(drafts, key=lambda draft: (draft.name, draft.place)):
        name = draft.name
        if names[name.casefold()] > 1:
            base = name = draft.place.replace("/", "__")
            number = 1
            while name.casefold() in taken:
                number += 1
                name = f"{base}__{number}"
            taken.add(name.casefold())
        cases.append(
            Case(name, draft.sources, draft.reference, draft.dialect, draft.mask, draft.layout, draft.problems)
        )
    return sorted(cases, key=lambda case: case.id)
