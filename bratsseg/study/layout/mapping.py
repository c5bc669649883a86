"""A layout file for any other folder: a CSV table of paths, or YAML patterns.

CSV: a row per case, columns ``case, flair, t1, t1ce, t2, mask, reference`` (all but ``case`` optional) and ``dialect``.
Paths are relative to the table or to the folder searched; ``scan.nii.gz#2`` is volume 2 of a 4-D file, from 0.

YAML: a pattern per modality, relative to the folder searched. ``{case}`` is the case id, ``*`` anything but '/'::

    flair: "{case}/*FLAIR*.nii.gz"
    t1ce: "{case}/*post*.nii.gz"
    reference: "truth/{case}.nii.gz"
    dialect: brats2021
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from bratsseg.config import Config, read_config
from bratsseg.errors import ConfigError, ModalityAmbiguous, ReadError
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.dialect import DIALECTS
from bratsseg.study.layout.draft import Draft
from bratsseg.study.layout.listing import Listing
from bratsseg.study.modality import Modality
from bratsseg.study.table import TableRow, read_table

COLUMNS = {"flair": Modality.FLAIR, "t1": Modality.T1N, "t1ce": Modality.T1C, "t2": Modality.T2W}
_OTHERS = ("mask", "reference")
_PIECES = re.compile(r"\{case\}|\*\*/|\*")


class Patterns(Config):
    """Where the files of each case lie, as patterns with ``{case}``."""

    flair: str | None = None
    """FLAIR."""
    t1: str | None = None
    """T1 without contrast."""
    t1ce: str | None = None
    """T1 with contrast."""
    t2: str | None = None
    """T2."""
    volumes: str | None = None
    """One 4-D file, or a coloured picture, with all modalities."""
    channels: tuple[str, ...] = ()
    """The order of its volumes or colours, of flair, t1, t1ce, t2."""
    mask: str | None = None
    """Brain mask."""
    reference: str | None = None
    """Label map made by somebody."""
    dialect: str | None = None
    """What the values of the references mean."""


def find(listing: Listing, layout: Path) -> list[Draft]:
    """The cases that a layout file names; ``ConfigError`` when it cannot be used."""
    if layout.suffix.lower() in (".csv", ".tsv"):
        return _from_table(listing, layout)
    return _from_patterns(listing, read_config(Patterns, layout), layout)


def _from_table(listing: Listing, table: Path) -> list[Draft]:
    drafts: dict[str, Draft] = {}
    rows = read_table(table)
    _check_columns(rows, table)
    for row in rows:
        owner, cells = f"layout {table}: row {row.number}", dict(row.cells)
        name = cells.pop("case")
        if not name:
            raise ConfigError(f"{owner} must name its case, the cell in column case is empty")
        if name in drafts:
            raise ConfigError(f"{owner} must have its own case, was {name!r} again")
        problems: list[Problem] = []
        dialect = cells.pop("dialect", "") or None
        _check_dialect(dialect, owner)
        found = {column: _located(text, listing, table, column, problems) for column, text in cells.items() if text}
        drafts[name] = _draft(name, found, dialect, problems)
    return list(drafts.values())


def _check_columns(rows: Sequence[TableRow], table: Path) -> None:
    known = ("case", *COLUMNS, *_OTHERS, "dialect")
    columns = list(rows[0].cells) if rows else []
    strange = [column for column in columns if column not in known]
    if not rows or "case" not in columns or strange:
        what = f"has {', '.join(strange)}" if strange else f"has {', '.join(columns)}" if rows else "has no rows"
        raise ConfigError(f"layout {table}: needs a column case and any of {', '.join(known[1:])}; {what}")


def _located(text: str, listing: Listing, table: Path, column: str, problems: list[Problem]) -> VolumeSource:
    path, _, channel = text.rpartition("#") if re.search(r"#\d+$", text) else (text, "", "")
    paths = (path, path.replace("\\", "/"))  # Windows' spelling, where no file has such a name
    places = [folder / name for name in paths for folder in (table.parent, listing.root)]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        problems.append(
            Problem(ReadError, f"{column}: {path} is neither beside {table.name} nor below '{listing.root}'")
        )
    return VolumeSource(place or places[0], int(channel) if channel else None)


def _from_patterns(listing: Listing, patterns: Patterns, layout: Path) -> list[Draft]:
    _check_dialect(patterns.dialect, f"layout {layout}")
    strange = set(patterns.channels) - COLUMNS.keys()
    if strange or bool(patterns.channels) != bool(patterns.volumes):
        raise ConfigError(f"layout {layout}: volumes and channels go together, channels are of {', '.join(COLUMNS)}")
    names = [listing.below_root(file) for files in listing.folders.values() for file in files]
    matched: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for role in (*COLUMNS, "volumes", *_OTHERS):
        pattern = getattr(patterns, role)
        if pattern is not None:
            expression = _compiled(pattern, layout)
            for name in names:
                if match := expression.fullmatch(name):
                    matched[match["case"]][role].append(listing.root / name)
    _without_masks(matched)
    return [
        _matched_draft(name, roles, patterns, listing)
        for name, roles in matched.items()
        if any(role in COLUMNS or role == "volumes" for role in roles)
    ]


def _without_masks(matched: Mapping[str, dict[str, list[Path]]]) -> None:
    """Take what is some case's reference or mask out of the scans: ``{case}.png`` also matches ``x_mask.png``."""
    masks = {file for roles in matched.values() for role in _OTHERS for file in roles.get(role, ())}
    for roles in matched.values():
        for role in (*COLUMNS, "volumes"):
            if role in roles:
                roles[role] = [file for file in roles[role] if file not in masks]
                if not roles[role]:
                    del roles[role]


def _matched_draft(name: str, roles: Mapping[str, list[Path]], patterns: Patterns, listing: Listing) -> Draft:
    problems = [
        Problem(ModalityAmbiguous, f"{', '.join(map(listing.below_root, files))} all match the pattern of {role}")
        for role, files in roles.items()
        if len(files) > 1
    ]
    one = {role: VolumeSource(files[0]) for role, files in roles.items() if len(files) == 1}
    if "volumes" in one:
        one |= {column: VolumeSource(one["volumes"].path, number) for number, column in enumerate(patterns.channels)}
    return _draft(name, one, patterns.dialect, problems)


def _draft(name: str, found: Mapping[str, VolumeSource], dialect: str | None, problems: list[Problem]) -> Draft:
    sources = {modality: found[column] for column, modality in COLUMNS.items() if column in found}
    reference, mask = found.get("reference"), found.get("mask")
    return Draft(
        name=name,
        place=name,
        layout="mapping",
        sources={modality: sources[modality] for modality in Modality if modality in sources},
        claimed=frozenset(),
        reference=reference.path if reference else None,
        mask=mask.path if mask else None,
        dialect=dialect if reference else None,
        problems=tuple(problems),
    )


def _compiled(pattern: str, layout: Path) -> re.Pattern[str]:
    if "{case}" not in pattern:
        raise ConfigError(f"layout {layout}: pattern {pattern!r} must hold {{case}}, where the case id stands")
    text, last, named = "", 0, False
    for piece in _PIECES.finditer(pattern):
        text += re.escape(pattern[last : piece.start()])
        last = piece.end()
        if piece.group() == "{case}":
            text += "(?P=case)" if named else "(?P<case>[^/]+?)"
            named = True
        else:
            text += "(?:.*/)?" if piece.group() == "**/" else "[^/]*"
    return re.compile(text + re.escape(pattern[last:]))


def _check_dialect(dialect: str | None, owner: str) -> None:
    if dialect is not None and dialect not in DIALECTS:
        raise ConfigError(f"{owner}: dialect must be one of {', '.join(DIALECTS)}, was {dialect!r}")
