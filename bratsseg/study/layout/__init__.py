"""Layouts: a folder → the cases in it, from names and headers alone. One file per layout."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path

from bratsseg.errors import ConfigError, ReadError
from bratsseg.study.case import Case, Problem
from bratsseg.study.layout import bids, brats, lgg, mapping, msd, nnunet, pairs, split
from bratsseg.study.layout import folder as folder_layout
from bratsseg.study.layout.draft import Draft
from bratsseg.study.layout.listing import Listing, list_images, list_pictures
from bratsseg.study.layout.roles import PICTURE_SUFFIXES, SUFFIXES
from bratsseg.study.patient import JOIN
from bratsseg.study.table import read_text

__all__ = ["find_cases"]

_LAYOUTS = (nnunet, msd, bids, split, brats, folder_layout)  # the surest first; each sees what the ones before left


def find_cases(folder: str | Path, layout: str | Path | None = None) -> list[Case]:
    """All cases below ``folder``, which may also be a zip of pictures, sorted by id.

    ``layout`` is a CSV or YAML file that says which file is which (see ``mapping``); without it the names say so.
    Wrong or unclear files do not stop the search: their case is listed with what is wrong in ``Case.problems``.
    Raises ``UsageError`` when ``folder`` is no folder and ``ConfigError`` when ``layout`` cannot be used.
    """
    root = Path(folder)
    if layout is not None:
        return _settled(mapping.find(_everything(root, Path(layout)), Path(layout)))
    if _is_zip(root):
        return _settled(_pictured(list_pictures(root), alone=True))
    listing = list_images(root)
    alone = not listing.folders and not listing.ours
    drafts: list[Draft] = []
    for kind in _LAYOUTS:
        found = kind.find(listing)
        listing = listing.without(file for draft in found for file in draft.claimed)
        drafts += [draft for draft in found if draft.sources or any(problem.fatal for problem in draft.problems)]
    drafts = folder_layout.without_noise(drafts)
    return _settled([*drafts, *_pictured(list_pictures(root), alone), *_unreadable(listing)])


def _pictured(pictures: Listing, alone: bool) -> list[Draft]:
    """Cases of pictures; pairs only where pictures are ``alone``, for they also lie beside scans and results."""
    found = lgg.find(pictures)
    rest = pictures.without(file for draft in found for file in draft.claimed)
    return [*found, *pairs.find(rest)] if alone else found


def _everything(root: Path, layout: Path) -> Listing:
    """What a layout file may mean: pictures too where it names their endings."""
    if _is_zip(root):
        return list_pictures(root)
    try:
        said = read_text(layout).lower()
    except ConfigError:
        said = ""  # ``mapping`` tells what is wrong with it
    pictures = any(suffix in said for suffix in PICTURE_SUFFIXES)
    return list_images(root, (*SUFFIXES, *PICTURE_SUFFIXES) if pictures else SUFFIXES)


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


def _unreadable(listing: Listing) -> list[Draft]:
    """A folder that could not be read is listed as a refused case, so that nobody takes it for empty."""
    return [
        Draft(listing.id_of(path), listing.below_root(path), "", {}, frozenset(), problems=(Problem(ReadError, why),))
        for path, reason in listing.unreadable
        for why in (f"folder {listing.below_root(path)} cannot be read; {reason}",)
    ]


def _settled(drafts: list[Draft]) -> list[Case]:
    """Drafts as cases with ids that no two share.

    Every draft keeps its name (``study.patient``), whoever else is there: ``A`` and ``a`` are two names, since the
    disk with the scans tells them apart, and neither is renamed when the other comes. Namesakes, all of them, are told
    apart by their path below the root; where two cases lie at one path, the second in the order of their files gets a
    number. Two spellings of one letter (``u`` with dots, of one or two signs) read alike and make namesakes.
    """
    names: dict[str, int] = defaultdict(int)
    for draft in drafts:
        names[_spelled(draft.name)] += 1
    cases, taken = [], {name for name, count in names.items() if count == 1}
    for draft in sorted(drafts, key=lambda draft: (draft.name, draft.place, sorted(draft.claimed))):
        name = draft.name
        if names[_spelled(name)] > 1:
            base = name = draft.name if draft.place == "." else draft.place.replace("/", JOIN)
            number = 1
            while _spelled(name) in taken:
                number += 1
                name = f"{base}{JOIN}{number}"
            taken.add(_spelled(name))
        cases.append(
            Case(
                name,
                draft.sources,
                draft.reference,
                draft.dialect,
                draft.mask,
                draft.layout,
                draft.problems,
                draft.claimed,
            )
        )
    return sorted(cases, key=lambda case: case.id)


def _spelled(name: str) -> str:
    """A name with one spelling for each letter."""
    return unicodedata.normalize("NFC", name)
