"""Which dialect the label maps of a folder are in: stated, recorded or proved by names, and never guessed from values.

Values may only contradict. The judgement is over the whole folder, never case by case, because a case without
enhancing tumour looks the same in most dialects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from bratsseg.errors import CaseError, DialectError
from bratsseg.results.labelmaps import LabelMapFile
from bratsseg.results.reading import read_labels
from bratsseg.study.dialect import DIALECTS, get_dialect


def settle_dialects(root: Path, maps: Mapping[str, LabelMapFile], stated: str | None, flag: str) -> dict[str, str]:
    """The dialect of each label map of the folder ``root``, by the keys of ``maps``.

    ``stated`` is the value of the command's ``flag``, or None. ``DialectError`` when a map's dialect is neither stated,
    recorded nor proved, or when values contradict a proof.
    """
    if stated is not None:
        return _as_stated(root, maps, get_dialect(stated).name, flag)
    families: dict[str, dict[str, LabelMapFile]] = defaultdict(dict)
    settled, unknown = {}, []
    for case, item in maps.items():
        if item.ours and item.dialect is not None:
            settled[case] = get_dialect(item.dialect).name
        elif item.dialect is None:
            unknown.append(item)
        else:
            families[item.dialect][case] = item
    if unknown:
        values = _values(unknown)
        raise DialectError(
            f"{root}: the convention of the label values must be known, but nothing says it for "
            f"{len(unknown)} label map(s) such as {unknown[0].path.name}; their values {_listed(values)} fit "
            f"{_candidates(values)}; say which with {flag}"
        )
    for dialect, items in families.items():
        settled.update(dict.fromkeys(items, _confirmed(dialect, list(items.values()), root, flag)))
    return settled


def _as_stated(root: Path, maps: Mapping[str, LabelMapFile], dialect: str, flag: str) -> dict[str, str]:
    for item in maps.values():
        if item.ours and item.dialect not in (None, dialect):
            raise DialectError(
                f"{root}: {flag} says {dialect}, but the record of case {item.case} says {item.dialect}; "
                "leave the flag out"
            )
    return dict.fromkeys(maps, dialect)


def _confirmed(dialect: str, items: list[LabelMapFile], root: Path, flag: str) -> str:
    """The dialect that file names prove, unless a value anywhere in the family contradicts it."""
    values = _values(items)
    # BraTS-GLI kept its names when 2024 added 4, the resection cavity.
    if dialect == "brats2023" and 4 in values:
        dialect = "brats2024"
    # BraTS-PED kept its names when 2024 renumbered the values; only 4, which 2023 has not, tells the years apart.
    if dialect == "brats2024-ped" and 4 not in values:
        raise DialectError(
            f"{root}: names such as {items[0].path.name} stand for 2023's values as well as for 2024's, and "
            f"the values {_listed(values)} fit both brats2023 and brats2024-ped; say which with {flag}"
        )
    strange = values - get_dialect(dialect).meaning.keys()
    if strange:
        raise DialectError(
            f"{root}: names such as {items[0].path.name} say dialect {dialect}, but value(s) {_listed(strange)} "
            f"contradict it; all values {_listed(values)} fit {_candidates(values)}; say which with {flag}"
        )
    return dialect


def _values(items: Collection[LabelMapFile]) -> set[int]:
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
