"""A folder of label maps from one dialect to another and into other programs' formats, file by file.

What one file cannot be, it is refused for alone. Voxels do not move: each result keeps its source's header and grid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import CaseError, UsageError, WriteError
from bratsseg.evaluation.convention import LENIENT, read_labels, settle_dialects
from bratsseg.evaluation.labelled import LabelFolder
from bratsseg.exchange.bids import collisions, remove_others
from bratsseg.exchange.finding import Found, LabelMaps, find_label_maps
from bratsseg.exchange.formats import BIDS_FOLDER, Export, made_by, write_formats
from bratsseg.exchange.labels import labels_of
from bratsseg.exchange.translation import Translation
from bratsseg.study.case import VolumeSource
from bratsseg.study.dialect import Dialect, get_dialect
from bratsseg.study.layout.roles import stem_of
from bratsseg.study.reading import read_volume
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume

OUR_MARK = b"bratsseg"
Progress = Callable[[Iterable[Found]], Iterable[Found]]


@dataclass(frozen=True)
class Refused:
    """A file that was not converted, and why; ``code`` is stable."""

    file: str
    code: str
    reason: str


@dataclass(frozen=True)
class Conversion:
    """What came of a folder: the files written for each label map, those refused, and what was lost on the way."""

    done: Mapping[str, tuple[Path, ...]]
    refused: tuple[Refused, ...]
    warnings: tuple[str, ...] = ()


@dataclass
class _Notes:
    """What is said once for a whole folder: each remark with the files it is true of."""

    remarks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> tuple[str, ...]:
        return tuple(
            f"{remark} ({len(files)} file(s), such as {files[0]})" for remark, files in sorted(self.remarks.items())
        )


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be done with each label map; ``target`` None keeps its dialect."""

    out: Path
    source: str | None
    target: Dialect | None
    formats: Collection[str]
    notes: _Notes = field(default_factory=_Notes)


def convert_folder(
    folder: Path,
    out: Path,
    *,
    source: str | None = None,
    target: str | None = None,
    formats: Collection[str] = ("nifti",),
    progress: Progress = iter,
) -> Conversion:
    """Write every label map below ``folder`` into ``out`` in dialect ``target`` (None keeps its own) and ``formats``.

    ``source`` is the dialect of the folder; None takes it from our own records or from file names that prove it, else
    ``DialectError``. Paths below ``folder`` are kept. ``UsageError`` when one folder lies in the other.
    """
    here, there = folder.resolve(), out.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise UsageError(f"OUT {out}: must lie outside IN {folder}, so that no label map is read or written twice")
    if out.exists() and not out.is_dir():
        raise UsageError(f"OUT {out}: must be a folder, was a file")
    wanted = get_dialect(target) if target is not None else None
    return _convert(find_label_maps(folder), _Plan(out, source, wanted, formats), progress)


def add_bids(results: Path) -> Conversion:
    """Write ``results/bids`` from the records and label maps of our own results: a BIDS data set of every done case.

    Like ``cases.csv`` it is derived from the records and may be written again at any time; a case that is no longer
    done leaves the data set.
    """
    found = find_label_maps(results)
    if any(item.record is None for item in found.maps):
        raise UsageError(f"{results}: must be results of bratsseg, was a folder of other label maps")
    conversion = _convert(found, _Plan(results, None, None, ("bids",)), iter)
    remove_others(results / BIDS_FOLDER, {file for files in conversion.done.values() for file in files})
    return conversion


def _convert(found: LabelMaps, plan: _Plan, progress: Progress) -> Conversion:
    by_place = LabelFolder(found.root, {one.place: one.item for one in found.maps})
    speaks = settle_dialects(by_place, plan.source, "--from")
    done: dict[str, tuple[Path, ...]] = {}
    refused = [Refused(place, *why) for place, why in found.without.items()]
    clashes = _clashes(found.maps, plan.formats)
    for one in progress(found.maps):
        try:
            if one.place in clashes:
                raise CaseError(clashes[one.place])
            done[one.place] = tuple(_convert_one(one, get_dialect(speaks[one.place]), plan))
        except CaseError as error:
            refused.append(Refused(one.place, error.code, str(error)))
    return Conversion(done, tuple(sorted(refused, key=lambda item: item.file)), plan.notes.lines())


def _convert_one(one: Found, source: Dialect, plan: _Plan) -> list[Path]:
    target = plan.target or source
    volume, stored = read_labels(one.item)
    found = {int(value) for value in np.flatnonzero(np.bincount(stored.ravel(order="K")))} - {0}
    if found - source.meaning.keys():
        source.decode(stored, one.place)  # raises, and says what is wrong
    translation = Translation.between(source, target)
    for remark in (*translation.losses(found), *_oddities(one, volume, target)):
        plan.notes.remarks[remark].append(one.place)
    export = Export(
        name=one.name,
        stem=one.name.rpartition("/")[2],
        values=translation.table[stored],
        like=volume,
        labels=labels_of(
            target, one.item.assessable & source.expresses, {int(translation.table[value]) for value in found}
        ),
        dialect=target.name,
        description=_description(one, volume, target),
        probabilities=_probabilities(one) if "bids" in plan.formats else {},
        record=one.record,
        nifti=_nifti_name(one.item.path),
    )
    return _write(export, plan.out, Path(one.place).parent, plan.formats)


def _write(export: Export, out: Path, below: Path, formats: Collection[str]) -> list[Path]:
    """Files go to their place below ``out``; the BIDS data set is one for all of ``out``."""
    flat = [name for name in formats if name != "bids"]
    try:
        if flat:
            (out / below).mkdir(parents=True, exist_ok=True)
        files = write_formats(export, out / below, flat)
        return files + (write_formats(export, out, ("bids",)) if "bids" in formats else [])
    except OSError as error:
        raise WriteError(f"{export.name}: its result must fit into OUT; {error.strerror or error}") from error


def _clashes(maps: Collection[Found], formats: Collection[str]) -> dict[str, str]:
    """Label maps whose results would overwrite each other, with the reason."""
    clashes: dict[str, str] = {}
    by_stem: dict[str, list[Found]] = defaultdict(list)
    for one in maps:
        by_stem[one.name].append(one)
    for found in by_stem.values():
        for one in found if len(found) > 1 else ():
            others = ", ".join(other.place for other in found if other is not one)
            clashes[one.place] = f"{one.place}: its result would have the name of another's ({others}); rename one"
    if "bids" in formats:
        same = collisions(one.name for one in maps)
        clashes |= {one.place: same[one.name] for one in maps if one.name in same and one.place not in clashes}
    return clashes


def _probabilities(one: Found) -> dict[Region, NDArray[np.float32]]:
    """The probabilities that lie beside a label map of ours, (I, J, K) float32."""
    if one.record is None:
        return {}
    found = {}
    for region in Region:
        path = one.item.path.with_name(f"{one.item.path.parent.name}_prob_{region}.nii.gz")
        if path.name in one.record.get("outputs", {}):
            found[region] = read_volume(VolumeSource(path), f"case {one.name}: {path.name}", LENIENT).values()
    return found


def _oddities(one: Found, volume: Volume, target: Dialect) -> Iterable[str]:
    """What the reader of the results should know besides values."""
    header = volume.header
    if header is not None and not int(header["sform_code"]) and not int(header["qform_code"]):
        yield "no form is coded in the header: where left is, is a guess"
    if one.record is None and one.item.dialect not in (None, target.name):
        yield f"the file names say {one.item.dialect}, the values are {target.name} now; say so when you use them"


def _description(one: Found, volume: Volume, target: Dialect) -> str:
    """What the NIfTI header says: a result of ours keeps our mark, anyone else's must not get it."""
    marked = volume.header is not None and bytes(volume.header["descrip"]).startswith(OUR_MARK)
    if marked or one.record is not None:
        return made_by(target, one.record)
    return f"label map in {target.name}"


def _nifti_name(path: Path) -> str:
    lower = path.name.lower()
    return path.name if lower.endswith((".nii", ".nii.gz")) else f"{stem_of(path)}.nii.gz"
