"""Which dialect the label maps of a folder are in: stated, recorded or proved by names, and never guessed from values.

Values may only contradict. The judgement is over the whole folder, never case by case, because a case without
enhancing tumour looks the same in most dialects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bratsseg.errors import CaseError, DialectError
from bratsseg.results.labelmaps import LabelMapFile
from bratsseg.results.reading import read_labels
from bratsseg.study.dialect import DIALECTS, get_dialect
from bratsseg.study.reading.segments import meaning_of, segment_names
from bratsseg.wording import counted, some

MEANT = frozenset({0}.union(*(dialect.meaning for dialect in DIALECTS.values())))
"""Every value that some dialect has."""


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
        raise _unsaid(unknown, root, flag)
    for dialect, items in families.items():
        settled.update(dict.fromkeys(items, _confirmed(dialect, list(items.values()), root, flag)))
    return settled


def _unsaid(unknown: Sequence[LabelMapFile], root: Path, flag: str) -> CaseError | DialectError:
    """Why the convention of label maps is not known; where none of them can be read, why the first cannot."""
    values, strange = _values(unknown)
    if not values and not strange and (fault := _fault(unknown)) is not None:
        return fault
    damaged = f"; {_held(strange, strange, root)}, which no dialect has" if strange else ""
    fitting = f"their values {_listed(values)} fit {_candidates(values)}" if values else "they hold nothing but 0"
    named = next(((item, names) for item in unknown if (names := segment_names(item.path))), None)
    told = "" if named is None else f"; the segments of {_place(named[0], root)} are called {_called(named[1])}"
    return DialectError(
        f"{root}: the convention of the label values must be known, but nothing says it for "
        f"{counted(len(unknown), 'label map')} such as {_place(unknown[0], root)}; {fitting}{told}; "
        f"say which with {flag}{damaged}"
    )


def _fault(items: Iterable[LabelMapFile]) -> CaseError | None:
    """What is wrong with the first of ``items``, or None when each can be read."""
    for item in items:
        try:
            read_labels(item)
        except CaseError as error:
            return error
    return None


def _called(names: Mapping[int, str]) -> str:
    return some([f"{value} '{name}'" for value, name in sorted(names.items())])


def _refuse_other_names(item: LabelMapFile, dialect: str, root: Path, flag: str) -> None:
    """``DialectError`` where the names that 3D Slicer stores in the file plainly mean other regions than a dialect."""
    meaning, names = get_dialect(dialect).meaning, segment_names(item.path)
    for value, name in sorted(names.items()):
        meant = meaning_of(name)
        if meant is not None and value in meaning and meaning[value] != meant:
            fit = [one for one in DIALECTS if _fits(one, names)]
            raise DialectError(
                f"{root}: {flag} says {dialect}, but {_place(item, root)} calls its segments {_called(names)}, and in "
                f"{dialect} {value} is something else; {'say ' + ' or '.join(fit) if fit else 'rename the segments'}"
            )


def _fits(dialect: str, names: Mapping[int, str]) -> bool:
    meaning = get_dialect(dialect).meaning
    return all(value in meaning and meaning_of(name) in (None, meaning[value]) for value, name in names.items())


def _as_stated(root: Path, maps: Mapping[str, LabelMapFile], dialect: str, flag: str) -> dict[str, str]:
    for item in maps.values():
        if item.ours and item.dialect not in (None, dialect):
            raise DialectError(
                f"{root}: {flag} says {dialect}, but the record of case {item.case} says {item.dialect}; "
                "leave the flag out"
            )
        if not item.ours:
            _refuse_other_names(item, dialect, root, flag)
    return dict.fromkeys(maps, dialect)


def _confirmed(dialect: str, items: list[LabelMapFile], root: Path, flag: str) -> str:
    """The dialect that file names prove, unless a value anywhere in the family contradicts it."""
    values, _ = _values(items)
    # BraTS-GLI kept its names when 2024 added 4, the resection cavity.
    if dialect == "brats2023" and 4 in values:
        dialect = "brats2024"
    # BraTS-PED kept its names when 2024 renumbered the values; only 4, which 2023 has not, tells the years apart.
    if dialect == "brats2024-ped" and 4 not in values:
        raise DialectError(
            f"{root}: names such as {items[0].path.name} stand for 2023's values as well as for 2024's, and "
            f"the values {_listed(values)} fit both brats2023 and brats2024-ped; say which with {flag}"
        )
    strange = values.keys() - get_dialect(dialect).meaning.keys()
    if strange:
        raise DialectError(
            f"{root}: names such as {items[0].path.name} say dialect {dialect}, but "
            f"{_held(values, strange, root)}, which contradicts it; all values "
            f"{_listed(values)} fit {_candidates(values)}; say which with {flag}"
        )
    return dialect


def _values(items: Collection[LabelMapFile]) -> tuple[dict[int, list[LabelMapFile]], dict[int, list[LabelMapFile]]]:
    """Who holds each value but 0: those that some dialect has, and those that are in none.

    A map with a value of no dialect is damaged: it is refused by name when it is decoded, and puts no other map under
    suspicion. One that cannot be read has no values here, and is refused likewise.
    """
    known: dict[int, list[LabelMapFile]] = defaultdict(list)
    strange: dict[int, list[LabelMapFile]] = defaultdict(list)
    for item in items:
        try:
            values = np.flatnonzero(np.bincount(read_labels(item)[1].ravel(order="K"))).tolist()
        except CaseError:
            continue
        for value in values:
            (known if value in MEANT else strange)[value].append(item)
    known.pop(0, None)
    return known, strange


def _candidates(values: Collection[int]) -> str:
    return (
        ", ".join(name for name, dialect in DIALECTS.items() if set(values) <= dialect.meaning.keys()) or "no dialect"
    )


def _held(values: Mapping[int, list[LabelMapFile]], which: Collection[int], root: Path) -> str:
    """Which maps below ``root`` hold values."""
    return "; ".join(
        f"value {value} is in {some([_place(item, root) for item in values[value]], 3)}" for value in sorted(which)[:4]
    )


def _place(item: LabelMapFile, root: Path) -> str:
    """Where a map lies below ``root``: in a folder for each case all may be called ``seg.nii.gz``."""
    return item.path.relative_to(root).as_posix() if item.path.is_relative_to(root) else str(item.path)


def _listed(values: Collection[int]) -> str:
    return "{" + ", ".join(str(value) for value in sorted(values)) + "}"
