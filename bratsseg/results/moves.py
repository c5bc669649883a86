"""Results whose case is called otherwise now: which go where, and taking a result to its new id.

An id may change although the scans did not: an earlier version called cases by other rules, a namesake came, or the
folder searched is another. A result knows the hashes of its inputs, so it can follow its case without being computed
again. Where the hashes do not say for certain whose it is, nothing is moved and the reason is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bratsseg.errors import WriteError
from bratsseg.files import sync_folder, write_files
from bratsseg.results.commit import record_bytes
from bratsseg.results.edited import changed_by_hand
from bratsseg.results.filenames import REPORT, is_result_file
from bratsseg.results.record import CaseRecord, InputFile, record_path
from bratsseg.results.staging import Staging
from bratsseg.results.swap import link_entry
from bratsseg.study.layout.roles import PICTURE_SUFFIXES
from bratsseg.study.mark import record_beside

Inputs = Mapping[str, InputFile]


@dataclass(frozen=True)
class Moves:
    """What is to become of results whose case is called otherwise now, each by the id it has in OUT.

    ``moved`` gives the new id; ``repeated`` the id under which the case has a result of the same scans already;
    ``unclear`` the reason why nothing is done.
    """

    moved: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)


def moves(
    recorded: Mapping[str, CaseRecord], found: Mapping[str, Inputs], is_there: Callable[[str], bool] = lambda _: False
) -> Moves:
    """Which results belong to cases that are called otherwise now.

    ``recorded`` are the results by id; ``found`` the inputs of the cases by today's id, with the hashes of those that
    may be some result's. A result follows scans of equal bytes to an id that holds its own, or to any id when the case
    has the very files. ``is_there`` says of an input file's name whether that file still is where it was: then a result
    is moved only to the case that has this file, and never to one that has a copy.
    """
    claims: dict[str, list[str]] = defaultdict(list)
    unclear: dict[str, str] = {}
    for old, record in sorted(recorded.items()):
        if old in found and same_scans(record.inputs, found[old]):
            continue
        new = [
            case for case, inputs in sorted(found.items()) if _follows((old, record.inputs), (case, inputs), is_there)
        ]
        exact = [case for case in new if _files(record.inputs) == _files(found[case])]
        new = exact or new
        if len(new) == 1:
            claims[new[0]].append(old)
        elif new:
            unclear[old] = f"{' and '.join(new)} have the scans it was made from"
    return _settled(claims, recorded, found, unclear)


def _settled(
    claims: Mapping[str, list[str]],
    recorded: Mapping[str, CaseRecord],
    found: Mapping[str, Inputs],
    unclear: dict[str, str],
) -> Moves:
    moved: dict[str, str] = {}
    repeated: dict[str, str] = {}
    for new, olds in claims.items():
        there = recorded.get(new)
        if there is not None and there.status == "done" and same_scans(there.inputs, found[new]):
            repeated |= dict.fromkeys(olds, new)
        elif len(olds) > 1:
            unclear |= dict.fromkeys(olds, f"{' and '.join(olds)} were made from the scans of {new}")
        elif there is not None:
            unclear[olds[0]] = f"there is another result of {new}"
        else:
            moved[olds[0]] = new
    return Moves(moved, repeated, dict(sorted(unclear.items())))


def move_result(record: CaseRecord, new: str, inputs: Inputs, staging: Staging) -> CaseRecord:
    """Take the result of ``record`` to the id ``new``, whose case has ``inputs`` now; returns its new record.

    Files are renamed and otherwise stay as they are, those that a person changed or added too. The pages of a report
    tell the old id, so they are left behind; they can be made again. The new result is whole before the old one goes.
    ``WriteError`` leaves the old one as it was.
    """
    old, target = record_path(staging.out, record.case).parent, record_path(staging.out, new).parent
    names = {f"{old.name}{end}": f"{target.name}{end}" for end in ends_of(old)}
    moved = _renamed(record, new, inputs, names)
    pages = {record_beside(old).name, *(f"{old.name}{end}" for end in REPORT)}
    try:
        with staging.new_folder() as staged:
            fresh = staged / target.name
            fresh.mkdir()
            for entry in _own_entries(old):
                if entry.name not in pages:
                    link_entry(entry, fresh / names.get(entry.name, entry.name), moved=True)
            write_files(fresh, {record_beside(target).name: record_bytes(moved)})
            with staging.publishing(record.case, new, wait=False):
                sync_folder(fresh)
                staging.put_in_place(fresh, target)
                _retire(old, staged)
    except OSError as error:
        raise WriteError(f"case {record.case}: could not be moved to {new}; {error.strerror or error}") from error
    return moved


def remove_repeated(record: CaseRecord, staging: Staging) -> bool:
    """Remove a result that its case has under another id as well; False when a person changed or added something."""
    folder = record_path(staging.out, record.case).parent
    known = {record_beside(folder).name, *record.outputs}
    foreign = any(entry.name not in known and not is_result_file(entry.name, folder.name) for entry in folder.iterdir())
    if foreign or changed_by_hand(folder, record):
        return False
    try:
        with staging.new_folder() as staged, staging.publishing(record.case, wait=False):
            _retire(folder, staged)
    except OSError as error:
        raise WriteError(f"case {record.case}: could not be removed; {error.strerror or error}") from error
    return True


def ends_of(folder: Path) -> list[str]:
    """What the files of a result are called after the case's name, where that name is not a picture's."""
    stem = folder.name
    names = [entry.name for entry in folder.iterdir() if entry.is_file() and entry.name.startswith(stem)]
    return [
        name[len(stem) :]
        for name in names
        if is_result_file(name, stem) and (not name.lower().endswith(PICTURE_SUFFIXES) or name[len(stem) :] in REPORT)
    ]


def _renamed(record: CaseRecord, new: str, inputs: Inputs, names: Mapping[str, str]) -> CaseRecord:
    def told(text: str) -> str:
        for before, now in names.items():
            text = text.replace(before, now)
        return text

    return record.model_copy(
        update={
            "case": new,
            "inputs": dict(inputs),
            "outputs": {names.get(name, name): digest for name, digest in record.outputs.items()},
            "pages": {},
            "edited": {names.get(name, name): digest for name, digest in record.edited.items()},
            "warnings": tuple(told(text) for text in record.warnings),
        }
    )


def _own_entries(folder: Path) -> list[Path]:
    """What lies in the folder of a case, but for the folders of other cases."""
    return [entry for entry in sorted(folder.iterdir()) if not (entry.is_dir() and _holds_results(entry))]


def _holds_results(folder: Path) -> bool:
    return any(record_beside(place).is_file() for place in (folder, *(p for p in folder.rglob("*") if p.is_dir())))


def _retire(folder: Path, staged: Path) -> None:
    """Take an old result away: in one step, or, where other cases lie in its folder, file by file, its record first."""
    own = _own_entries(folder)
    if len(own) == len(list(folder.iterdir())):
        folder.rename(staged / "old")
        return
    for entry in sorted(own, key=lambda entry: entry != record_beside(folder)):
        entry.rename(staged / f"old-{entry.name}")


def same_scans(one: Inputs, other: Inputs) -> bool:
    """True when both are of equal bytes, modality by modality; False where a hash is not known."""
    contents = _contents(one)
    return contents is not None and contents == _contents(other)


def _follows(recorded: tuple[str, Inputs], found: tuple[str, Inputs], is_there: Callable[[str], bool]) -> bool:
    """True when a result may be that of a case, each given as id and inputs.

    Equal bytes alone prove nothing: data sets hold the same scans under two patients.
    """
    (old, before), (new, now) = recorded, found
    if not same_scans(before, now):
        return False
    if not _are_related(old, new):
        return _states(before) == _states(now)
    return not any(is_there(file) for file in _files(before) - _files(now))


def _are_related(one: str, other: str) -> bool:
    """True when one id is the other with more before or behind: 2019-01-11 and P1__2019-01-11."""
    short, long = sorted((one, other), key=len)
    before, behind = long.removesuffix(short), long.removeprefix(short)
    return (before != long and not before[-1:].isalnum()) or (behind != long and not behind[:1].isalnum())


def _states(inputs: Inputs) -> set[tuple[str, int | None, int | None]]:
    """The very files: by name, size and time of the last change."""
    return {(file.file, file.size, file.mtime_ns) for file in inputs.values()}


def _files(inputs: Inputs) -> set[str]:
    return {file.file for file in inputs.values()}


def _contents(inputs: Inputs) -> frozenset[tuple[str, str, int | None]] | None:
    """What was read as which modality; None where a hash is not known."""
    known = {(role, file.sha256, file.channel) for role, file in inputs.items() if file.sha256 is not None}
    return frozenset(known) if known and len(known) == len(inputs) else None
