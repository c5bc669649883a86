"""Scans in more than one file: a header that names no voxels of its own, and the files that hold them.

NIfTI pairs (``.hdr`` and ``.img``) belong together by name. MetaImage and NRRD headers say where their voxels lie: in
one file, in a list, or in files numbered by a pattern. https://itk.org/Wiki/ITK/MetaIO/Documentation and
https://teem.sourceforge.net/nrrd/format.html#detached describe both.
"""

from __future__ import annotations

import re
from pathlib import Path

PAIR_SUFFIXES = (".hdr", ".img", ".hdr.gz", ".img.gz")
_HEADERS = (".mhd", ".mha", ".nrrd", ".nhdr")
_STATED = re.compile(r"(?:ElementDataFile[ \t]*=|data ?file:)[ \t]*(.*)", re.IGNORECASE)
_PATTERN = re.compile(r"(\S*%0?\d*d\S*)[ \t]+(-?\d+)[ \t]+(-?\d+)[ \t]+(-?\d+)")
_MOST_HEADER = 1 << 16
_MOST_FILES = 10_000


def pair_part(path: Path, part: str) -> Path:
    """The ``part`` ("hdr" or "img") of a NIfTI pair; any other path is returned as it is."""
    name = path.name
    bare = name[:-3] if name.lower().endswith(".gz") else name
    if not bare.lower().endswith((".hdr", ".img")):
        return path
    wanted = [path.with_name(bare[:-3] + part + end) for end in ("", ".gz")]
    if name.lower().endswith(".gz"):
        wanted.reverse()
    return next((candidate for candidate in wanted if candidate.exists()), wanted[0])


def companions(path: Path) -> list[Path]:
    """The other files of the scan at ``path``, in the order of its header; those that do not exist are left out.

    A scan in one file has none. ``OSError`` when the header cannot be read.
    """
    name = path.name.lower()
    if name.endswith(PAIR_SUFFIXES):
        parts = [pair_part(path, part) for part in ("hdr", "img")]
    elif name.endswith(_HEADERS):
        parts = [path.parent / stated for stated in _stated_in(path)]
    else:
        return []
    return [part for part in dict.fromkeys(parts) if part != path and part.is_file()]


def _stated_in(header: Path) -> list[str]:
    """The file names that the text of a MetaImage or NRRD header gives; none where the voxels follow the text."""
    with header.open("rb") as stream:
        text = stream.read(_MOST_HEADER).decode("utf-8", "surrogateescape")
    lines = [line.strip() for line in text.replace("\r\n", "\n").split("\n\n", 1)[0].split("\n")]
    for number, line in enumerate(lines):
        if (stated := _STATED.fullmatch(line)) is None:
            continue
        what = stated[1].strip()
        if what.upper() == "LOCAL":
            return []
        if what.upper().split(" ")[0] == "LIST":
            return [name for name in lines[number + 1 :] if name]
        return _numbered(what)
    return []


def _numbered(what: str) -> list[str]:
    """``slice%03d.raw 1 40 1`` as the names it stands for; any other text as one name."""
    if (found := _PATTERN.match(what)) is None:
        return [what]
    first, last, step = (int(found[group]) for group in (2, 3, 4))
    if step == 0 or abs(last - first) // abs(step) >= _MOST_FILES:
        return []
    return [found[1] % number for number in range(first, last + (1 if step > 0 else -1), step)]
