"""The input files of a case by hash, and whether they are still what they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bratsseg.batch.names import Names
from bratsseg.results.record import CaseRecord, InputFile, hash_or_none
from bratsseg.study.case import Case
from bratsseg.study.stack import FileState, state_of


def describe_inputs(case: Case, states: Mapping[Path, FileState], names: Names) -> dict[str, InputFile]:
    """Every input of a case, by modality and ``mask``, as it was when it was read."""
    return {
        key: InputFile(
            file=names.file(path),
            sha256=states[path].sha256,
            size=states[path].size,
            mtime_ns=states[path].mtime_ns,
            channel=channel,
        )
        for key, path, channel in input_files(case)
    }


def same_inputs(recorded: dict[str, InputFile], case: Case, names: Names) -> bool:
    """True when the case has the recorded files and no other, with the recorded contents.

    Size and time of the last change decide when they agree; otherwise the hash does.
    """
    files = input_files(case)
    if {key for key, _, _ in files} != recorded.keys():
        return False
    hashed: dict[Path, str | None] = {}
    for key, path, channel in files:
        before = recorded[key]
        if before.sha256 is None or before.file != names.file(path) or before.channel != channel:
            return False
        if _quick_state(path) == (before.size, before.mtime_ns):
            continue
        if path not in hashed:
            hashed[path] = hash_or_none(path)
        if hashed[path] != before.sha256:
            return False
    return True


class KnownInputs:
    """What records know of input files, so that as few as possible are read to find those of ``wanted`` records.

    A hash is taken over from any record that knows the file as it is now. Otherwise a file is hashed only when its
    size is that of a wanted one.
    """

    def __init__(self, recorded: Iterable[CaseRecord], wanted: Iterable[CaseRecord]) -> None:
        files = [file for record in recorded for file in record.inputs.values()]
        self._states = {(file.file, file.size, file.mtime_ns): file.sha256 for file in files}
        self._sizes = {file.size for record in wanted for file in record.inputs.values()}

    def of(self, case: Case, names: Names) -> dict[str, InputFile]:
        """The inputs of a case; a hash is None where it cannot be a wanted one's."""
        known: dict[Path, InputFile] = {}
        for _, path, _ in input_files(case):
            if path not in known:
                known[path] = self._described(path, names.file(path))
        return {key: known[path].model_copy(update={"channel": channel}) for key, path, channel in input_files(case)}

    def _described(self, path: Path, name: str) -> InputFile:
        size, changed = _quick_state(path)
        digest = self._states.get((name, size, changed))
        if digest is None and size in self._sizes:
            digest = hash_or_none(path)
        return InputFile(file=name, sha256=digest, size=size, mtime_ns=changed)


def input_files(case: Case) -> list[tuple[str, Path, int | None]]:
    """The files that a case is computed from: (modality or ``mask``, path, channel)."""
    files = [(str(modality), source.path, source.channel) for modality, source in case.sources.items()]
    return [*files, ("mask", case.mask, None)] if case.mask is not None else files


def _quick_state(path: Path) -> tuple[int | None, int | None]:
    try:
        return state_of(path)
    except OSError:
        return None, None
