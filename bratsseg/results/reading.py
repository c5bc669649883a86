"""Read a label map that was found: its stored values, or its regions."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from isal import igzip
from numpy.typing import NDArray
from pydantic import ValidationError

from bratsseg.errors import CaseError, ReadError
from bratsseg.files import GZIP_MAGIC
from bratsseg.results.labelmaps import LabelMapFile
from bratsseg.results.record import CaseRecord
from bratsseg.results.sorting import LENIENT
from bratsseg.study.dialect import get_dialect, whole_numbers
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.reading import GeometryPolicy, read_reference
from bratsseg.study.volume import Volume


def read_labels(item: LabelMapFile, onto: Grid | None = None) -> tuple[Volume, NDArray[np.uint8]]:
    """The file of a label map and its whole-number values (I, J, K); ``ReadError`` or ``LabelError``.

    ``onto`` is the grid that a cropped file of 3D Slicer is padded to (see ``read_reference``).
    """
    owner = f"case {item.case}: {item.path.name}"
    volume = read_reference(item.path, owner, LENIENT if item.record is None else policy_of(item.record), onto)
    plain = volume.slope == 1.0 and volume.intercept == 0.0
    return volume, whole_numbers(volume.voxels if plain else volume.values(), owner)


def read_label_map(item: LabelMapFile, dialect: str) -> tuple[LabelMap, Volume]:
    """A label map as regions on its grid, and its file; ``LabelError`` on values outside ``dialect``."""
    volume, values = read_labels(item)
    return label_map_of(item, dialect, volume, values), volume


def label_map_of(item: LabelMapFile, dialect: str, volume: Volume, values: NDArray[np.uint8]) -> LabelMap:
    """Stored values (I, J, K) of ``item`` as regions on the grid of ``volume``; ``LabelError`` as above."""
    convention = get_dialect(dialect)
    regions = convention.decode(values, f"case {item.case}: {item.path.name}")
    return LabelMap(regions, volume.grid, item.assessable & convention.expresses)


def policy_of(record: CaseRecord) -> GeometryPolicy:
    """How headers were read when the result was made; a file of ours is read back in the same way."""
    try:
        return GeometryPolicy.model_validate(record.options.get("geometry", {}))
    except ValidationError:
        return GeometryPolicy()


def is_readable(item: LabelMapFile) -> bool:
    """False for a file that no program saved: cut off in a copy, or damaged on the disk. Its values may be any."""
    if not _checks_out(item.path):
        return False
    try:
        read_labels(item)
    except ReadError:
        return False
    except CaseError:
        return True
    return True


def _checks_out(path: Path) -> bool:
    """False for a compressed file whose checksum is not that of its content; readers stop before they come to it."""
    try:
        with path.open("rb") as raw:
            if raw.read(2) != GZIP_MAGIC:
                return True
            raw.seek(0)
            with igzip.open(raw, "rb") as stream:
                while stream.read(1 << 20):
                    pass
    except (EOFError, igzip.isal_zlib.error, gzip.BadGzipFile):
        return False
    except OSError:  # a pattern of several files, or none: whoever reads it says so
        return True
    return True
