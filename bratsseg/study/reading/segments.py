"""What 3D Slicer calls the segments of a ``.seg.nrrd``, and which regions such names mean.

The keys are those of Slicer's vtkMRMLSegmentationStorageNode: ``Segment0_Name:=edema``, ``Segment0_LabelValue:=2``.
"""

from __future__ import annotations

import re
from pathlib import Path

from bratsseg.study.dialect import CORE, EDEMA, ENHANCING
from bratsseg.study.reading.header import SLICER_SEGMENTATION
from bratsseg.study.regions import Region

_FIELD = re.compile(r"^Segment(\d+)_(Name|LabelValue):=(.*?)\r?$", re.MULTILINE)
_MOST_HEADER = 1 << 20
_MEANINGS = (
    (re.compile(r"non.?enhanc|whole|tumou?r core|peri.?enhanc", re.IGNORECASE), None),  # not alike in all dialects
    (re.compile(r"o?edema|ödem|oedème", re.IGNORECASE), EDEMA),
    (re.compile(r"necro|nekro", re.IGNORECASE), CORE),
    (re.compile(r"enhanc", re.IGNORECASE), ENHANCING),
)


def segment_names(path: Path) -> dict[int, str]:
    """The names of segments by label value; none for other files, or where the header cannot be read."""
    if not path.name.lower().endswith(SLICER_SEGMENTATION):
        return {}
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_HEADER).decode("utf-8", "replace")
    except OSError:
        return {}
    said: dict[str, dict[str, str]] = {}
    for number, field, value in _FIELD.findall(text.replace("\r\n", "\n").partition("\n\n")[0]):
        said.setdefault(number, {})[field] = value.strip()
    values = {number: fields.get("LabelValue", "") for number, fields in said.items()}
    return {int(values[n]): said[n]["Name"] for n in said if values[n].isdigit() and said[n].get("Name")}


def meaning_of(name: str) -> frozenset[Region] | None:
    """The regions that a segment's name plainly means, or None where it leaves it open."""
    return next((regions for pattern, regions in _MEANINGS if pattern.search(name)), None)
