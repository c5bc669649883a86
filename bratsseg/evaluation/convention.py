"""Which dialect the label maps of a folder are in: stated, recorded or proved by names, and never guessed from values.

Values may only contradict. The judgement is over the whole folder, never case by case, because a case without
enhancing tumour looks the same in most dialects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import CaseError, DialectError
from bratsseg.evaluation.labelled import LabelFolder, Labelled
from bratsseg.study.dialect import DIALECTS, get_dialect, whole_numbers
from bratsseg.study.reading import GeometryPolicy, read_reference
from bratsseg.study.volume import Volume

# Where voxels lie matters only against the other label map, and is compared there.
LENIENT = GeometryPolicy(without_codes="accept", shear="accept")


def settle_dialects(folder: LabelFolder, stated: str | None, flag: str) -> dict[str, str]:
    """The dialect of each case's label map. ``stated`` is the value of the command's ``flag``, or None.

    ``DialectError`` when a map's dialect is neither stated, recorded nor proved, or when values contradict a proof.
    """
    if stated is not None:
        return _as_stated(folder, get_dialect(stated).name, flag)
    families: dict[str, list[Labelled]] = defaultdict(list)
    settled, unknown = {}, []
    for case, item in folder.maps.items():
        if item.ours and item.dialect is not None:
            settled[case] = get_dialect(item.dialect).name
        elif item.dialect is None:
            unknown.append(item)
        else:
            families[item.dialect].append(item)
    if unknown:
        values = _values(unknown)
        raise DialectError(
            f"{folder.root}: the convention of the label values must be known, but nothing says it for "
            f"{len(unknown)} label map(s) such as {unknown[0].path.name}; their values {_listed(values)} fit "
            f"{_candidates(values)}; say which with {flag}"
        )
    for dialect, items in families.items():
        proved = _confirmed(dialect, items, folder, flag)
        settled.update({item.case: proved for item in items})
    return settled


def read_labels(item: Labelled) -> tuple[Volume, NDArray[np.uint8]]:
    """The file of a label map and its whole-number values (I, J, K); ``ReadError`` or ``LabelError``."""
    owner = f"case {item.case}: {item.path.name}"
    volume = read_reference(item.path, owner, LENIENT)
    plain = volume.slope == 1.0 and volume.intercept == 0.0
    return volume, whole_numbers(volume.voxels if plain else volume.values(), owner)


def _as_stated(folder: LabelFolder, dialect: str, flag: str) -> dict[str, str]:
    for item in folder.maps.values():
        if item.ours and item.dialect not in (None, dialect):
            raise DialectError(
                f"{folder.root}: {flag} says {dialect}, but the record of case {item.case} says {item.dialect}; "
                "leave the flag out"
            )
    return dict.fromkeys(folder.maps, dialect)


def _confirmed(dialect: str, items: list[Labelled], folder: LabelFolder, flag: str) -> str:
    """The dialect that file names prove, unless a value anywhere in the family contradicts it."""
    values = _values(items)
    # BraTS-GLI kept its names when 2024 added 4, the resection cavity.
    if dialect == "brats2023" and 4 in values:
        dialect = "brats2024"
    # BraTS-PED kept its names when 2024 renumbered the values; only 4, which 2023 has not, tells the years apart.
    if dialect == "brats2024-ped" and 4 not in values:
        raise DialectError(
            f"{folder.root}: names such as {items[0].path.name} stand for 2023's values as well as for 2024's, and "
            f"the values {_listed(values)} fit both brats2023 and brats2024-ped; say which with {flag}"
        )
    strange = values - get_dialect(dialect).meaning.keys()
    if strange:
        raise DialectError(
            f"{folder.root}: names such as {items[0].path.name} say dialect {dialect}, but value(s) {_listed(strange)} "
            f"contradict it; all values {_listed(values)} fit {_candidates(values)}; say which with {flag}"
        )
    return dialect


def _values(items: Collection[Labelled]) -> set[int]:
    """All values but 0; a map that cannot be read has none here and is refused when it is scored."""
    found: set[int] = set()
    for item in items:
        try:
            found |= set(np.flatnonzero(np.bincount(read_labels(item)[1].ravel(order="K"))).tolist())
        except CaseError:
            continue
    return found - {0}


def _candidates(values: set[int]) -> str:
    return ", ".join(name for name, dialect in DIALECTS.items() if values <= dialect.meaning.keys()) or "no dialect"


def _listed(values: Collection[int]) -> str:
    return "{" + ", ".join(str(value) for value in sorted(values)) + "}"
