"""What the files of a result are called: the one place that knows.

A case called ``anna/2024`` has its files in the folder ``OUT/anna/2024``, and each begins with the last part of its
name: ``2024_seg.nii.gz``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count

from bratsseg.study.regions import Region

LABELS = "_seg.nii.gz"
"""The label map."""
SLICER = (".seg.nrrd", ".ctbl")
"""Segmentation and colour table for 3D Slicer."""
ITKSNAP = ("_itksnap.txt",)
"""Label description for ITK-SNAP."""
MASK, HEAT = "_mask", "_prob_WT"
"""What the names of a picture's mask and probabilities end in, before the suffix."""
PAGE, PICTURE, SHEET = "_report.html", "_report.png", "_report.pdf"
SMALL, MEASURES = "_report_small.jpg", "_report.json"
REPORT = (PAGE, PICTURE, SHEET, SMALL, MEASURES)
"""What the files of a report end in; they can be made again from the others."""
TABLE, INDEX = "cases.csv", "index.html"
"""The table of all cases, and the page over all of them, in OUT itself."""
BIDS_FOLDER = "bids"
"""The data set that BIDS tools read, one for all results of a folder and made from them."""
EDITED = "edited-"
"""What the folders are called, before the date, in which files lie that a person changed and a run replaced."""

_PROBABILITY = "_prob_"
_COMPRESSED = ".nii.gz"


def folders_for_edits() -> Iterator[str]:
    """Names of folders for what a person changed, as of today: the first, and those to take where it is in use."""
    day = f"{EDITED}{date.today().isoformat()}"
    yield day
    yield from (f"{day}-{number}" for number in count(2))


def stem_of_case(name: str) -> str:
    """What the files of the case called ``name`` begin with."""
    return name.rpartition("/")[2]


def probability_name(stem: str, region: Region) -> str:
    """The file of a region's probabilities."""
    return f"{stem}{_PROBABILITY}{region}{_COMPRESSED}"


def is_result_file(name: str, stem: str) -> bool:
    """True for a name that this software gives, beside the record of a case whose files begin with ``stem``.

    Masks of pictures are called as the user's own pictures, so only a record tells which they are.
    """
    if name in {f"{stem}{end}" for end in (LABELS, *SLICER, *ITKSNAP, *REPORT)}:
        return True
    return name.startswith(f"{stem}{_PROBABILITY}") and name.endswith(_COMPRESSED)
