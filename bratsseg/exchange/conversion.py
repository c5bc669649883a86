"""A folder of label maps from one dialect to another and into other programs' formats, file by file.

What one file cannot be, it is refused for alone. Voxels do not move: each result keeps its source's header and grid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import CaseError, UsageError
from bratsseg.evaluation.convention import settle_dialects
from bratsseg.exchange.bids import collisions, remove_others
from bratsseg.exchange.formats import Export, files_of, made_by
from bratsseg.exchange.handwork import changed_since, set_aside, written_before
from bratsseg.exchange.labels import labels_of
from bratsseg.exchange.translation import Translation
from bratsseg.files import digests, write_files
from bratsseg.results.filenames import BIDS_FOLDER, probability_name, stem_of_case
from bratsseg.results.labelmaps import LabelMapFile, LabelMaps, find_label_maps
from bratsseg.results.reading import read_labels
from bratsseg.results.record import record_path
from bratsseg.results.sorting import LENIENT
from bratsseg.study.account import Account
from bratsseg.study.case import VolumeSource
from bratsseg.study.dialect import Dialect, get_dialect
from bratsseg.study.layout.roles import NIFTI_SUFFIXES, stem_of
from bratsseg.study.mark import MARK
from bratsseg.study.reading import read_volume
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume
from bratsseg.wording import counted, some

Progress = Callable[[Iterable[str]], Iterable[str]]
"""May wrap the paths of the label maps as they get converted (tqdm does)."""


@dataclass(frozen=True)
class UnconvertedCase:
    """A file that was not converted, and why; ``code`` is stable."""

    file: str
    code: str
    reason: str


@dataclass(frozen=True)
class Conversion:
    """What came of a folder: the files written for each label map, those refused, and what was lost on the way."""

    done: Mapping[str, tuple[Path, ...]]
    refused: tuple[UnconvertedCase, ...]
    warnings: tuple[str, ...] = ()
    account: Account | None = None
    """What became of every image file of the folder; None where studies were converted."""
    kept: tuple[str, ...] = ()
    """Files in OUT that were not written because a person changed what is there."""
    written: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each file that this conversion or an earlier one wrote, by path below OUT."""

    @property
    def complete(self) -> bool:
        """True when nothing was refused, kept as a person left it, or overlooked."""
        return not self.refused and not self.kept and not (self.account and self.account.overlooked)


@dataclass
class _Notes:
    """What is said once for a whole folder: each remark with the files it is true of."""

    remarks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> tuple[str, ...]:
        return tuple(
            f"{remark} ({counted(len(files), 'file')}, such as {files[0]})"
            for remark, files in sorted(self.remarks.items())
        )


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be done with each label map; ``target`` None keeps its dialect."""

    out: Path
    source: str | None
    target: Dialect | None
    formats: Collection[str]
    overwrite: bool = False
    written: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    notes: _Notes = field(default_factory=_Notes)


def convert_folder(
    folder: Path,
    out: Path,
    *,
    source: str | None = None,
    target: str | None = None,
    formats: Collection[str] = ("nifti",),
    overwrite: bool = False,
    progress: Progress = iter,
) -> Conversion:
    """Write every label map below ``folder`` into ``out`` in dialect ``target`` (None keeps its own) and ``formats``.

    ``source`` is the dialect of the folder; None takes it from our own records or from file names that prove it;
    otherwise ``DialectError``. Paths below ``folder`` are kept. A label map in ``out`` that a person changed stays,
    unless ``overwrite`` moves it to ``edited-<date>/`` first. ``UsageError`` when one folder lies in the other.
    """
    here, there = folder.resolve(), out.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise UsageError(f"OUT {out}: must lie outside IN {folder}, so that no label map is read or written twice")
    if out.exists() and not out.is_dir():
        raise UsageError(f"OUT {out}: must be a folder, was a file")
    wanted = get_dialect(target) if target is not None else None
    return _convert(
        find_label_maps(folder), _Plan(out, source, wanted, formats, overwrite, written_before(out)), progress
    )


def add_bids(results: Path) -> Conversion:
    """Write ``results/bids`` from the records and label maps of our own results: a BIDS data set of every done case.

    Like ``cases.csv`` it is derived from the records and may be written again at any time; a case that is no longer
    done leaves the data set.
    """
    found = find_label_maps(results)
    ours = replace(found, files=tuple(item for item in found.files if item.ours))
    if not ours.files and not ours.without:
        raise UsageError(f"{results}: must be results of bratsseg, was a folder of other label maps")
    conversion = _convert(ours, _Plan(results, None, None, ("bids",), written=written_before(results)), iter)
    remove_others(results / BIDS_FOLDER, {file for files in conversion.done.values() for file in files})
    return conversion


def _convert(found: LabelMaps, plan: _Plan, progress: Progress) -> Conversion:
    maps = found.by_place()
    dialects = settle_dialects(found.root, maps, plan.source, "--from")
    done: dict[str, tuple[Path, ...]] = {}
    refused = [
        UnconvertedCase(record_path(Path(), case).as_posix(), code, f"case {case}: {reason}")
        for case, (code, reason) in found.without.items()
    ]
    clashes = _clashes(maps, plan.formats)
    for place in progress(maps):
        try:
            if place in clashes:
                raise CaseError(clashes[place])
            done[place] = tuple(_convert_one(place, maps[place], get_dialect(dialects[place]), plan))
        except CaseError as error:
            refused.append(UnconvertedCase(place, error.code, str(error)))
    ordered = tuple(sorted(refused, key=lambda item: item.file))
    return Conversion(done, ordered, plan.notes.lines(), found.account, tuple(plan.kept), plan.written)


def _convert_one(place: str, item: LabelMapFile, source: Dialect, plan: _Plan) -> list[Path]:
    target = plan.target or source
    volume, stored = read_labels(item)
    found = {int(value) for value in np.flatnonzero(np.bincount(stored.ravel(order="K")))} - {0}
    if found - source.meaning.keys():
        source.decode(stored, place)  # raises, and says what is wrong
    translation = Translation.between(source, target)
    for remark in (*translation.losses(found), *_oddities(item, volume, target)):
        plan.notes.remarks[remark].append(place)
    export = Export(
        name=(name := _name_of(place, item)),
        stem=stem_of_case(name),
        values=translation.table[stored],
        like=volume,
        labels=labels_of(
            target, item.assessable & source.expresses, {int(translation.table[value]) for value in found}
        ),
        dialect=target.name,
        description=_description(item, volume, target),
        probabilities=_probabilities(item) if "bids" in plan.formats else {},
        record=item.record,
        nifti=_nifti_name(item.path),
    )
    # Files go to their place below OUT; the BIDS data set is one for all of OUT.
    below = Path(place).parent
    beside = files_of(export, [name for name in plan.formats if name != "bids"])
    files = {(below / name).as_posix(): content for name, content in beside.items()}
    return _write(files | files_of(export, [name for name in plan.formats if name == "bids"]), plan)


def _write(files: Mapping[str, bytes], plan: _Plan) -> list[Path]:
    """Write ``files`` below OUT, but for label maps that a person changed there; returns where all of them lie."""
    changed = changed_since(plan.out, files, plan.written)
    if plan.overwrite:
        set_aside(plan.out, changed)
        changed = set()
    fresh = {name: content for name, content in files.items() if name not in changed}
    write_files(plan.out, fresh)
    plan.kept.extend(sorted(changed))
    plan.written.update(digests(fresh))
    return [plan.out / name for name in files]


def _name_of(place: str, item: LabelMapFile) -> str:
    """The case: ours by its record, otherwise the path without its image suffix."""
    return item.case if item.ours else place.removesuffix(item.path.name) + stem_of(item.path)


def _clashes(maps: Mapping[str, LabelMapFile], formats: Collection[str]) -> dict[str, str]:
    """Label maps whose results would overwrite each other, by path, with the reason."""
    clashes: dict[str, str] = {}
    names = {place: _name_of(place, item) for place, item in maps.items()}
    by_name: dict[str, list[str]] = defaultdict(list)
    for place, name in names.items():
        by_name[name].append(place)
    for places in by_name.values():
        for place in places if len(places) > 1 else ():
            others = some([other for other in places if other != place])
            clashes[place] = f"{place}: its result would have the name of another's ({others}); rename one"
    if "bids" in formats:
        same = collisions(names.values())
        clashes |= {place: same[name] for place, name in names.items() if name in same and place not in clashes}
    return clashes


def _probabilities(item: LabelMapFile) -> dict[Region, NDArray[np.float32]]:
    """The probabilities that lie beside a label map of ours, (I, J, K) float32."""
    if item.record is None:
        return {}
    found = {}
    for region in Region:
        path = item.path.with_name(probability_name(item.record.stem, region))
        if path.name in item.record.outputs:
            found[region] = read_volume(VolumeSource(path), f"case {item.case}: {path.name}", LENIENT).values()
    return found


def _oddities(item: LabelMapFile, volume: Volume, target: Dialect) -> Iterable[str]:
    """What the reader of the results should know besides values."""
    header = volume.header
    if header is not None and not int(header["sform_code"]) and not int(header["qform_code"]):
        yield "no form is coded in the header: where left is, is a guess"
    if item.record is None and item.dialect not in (None, target.name):
        yield f"the file names say {item.dialect}, the values are {target.name} now; say so when you use them"


def _description(item: LabelMapFile, volume: Volume, target: Dialect) -> str:
    """What the NIfTI header says: a result of ours keeps our mark, anyone else's must not get it."""
    marked = volume.header is not None and bytes(volume.header["descrip"]).startswith(MARK)
    if marked or item.record is not None:
        return made_by(None if item.record is None else item.record.model, target.name)
    return f"label map in {target.name}"


def _nifti_name(path: Path) -> str:
    lower = path.name.lower()
    return path.name if lower.endswith(NIFTI_SUFFIXES) else f"{stem_of(path)}.nii.gz"
