"""The input files of a case by hash, and whether they are still what they were."""

from __future__ import annotations

from pathlib import Path

from bratsseg.batch.names import Names
from bratsseg.results.record import InputFile, hash_or_none
from bratsseg.study.case import Case
from bratsseg.study.stack import state_of


def describe_inputs(case: Case, names: Names) -> dict[str, InputFile]:
    """Hash every input of a case, by modality and ``mask``; a file is read once however many modalities it holds."""
    known: dict[Path, InputFile] = {}
    described = {}
    for key, path, channel in _input_files(case):
        if path not in known:
            size, changed = _quick_state(path)  # before hashing: a file that changes meanwhile must look changed later
            known[path] = InputFile(file=names.file(path), sha256=hash_or_none(path), size=size, mtime_ns=changed)
        described[key] = known[path].model_copy(update={"channel": channel})
    return described


def same_inputs(recorded: dict[str, InputFile], case: Case, names: Names) -> bool:
    """True when the case has the recorded files and no other, with the recorded contents.

    Size and time of the last change decide when they agree; otherwise the hash does.
    """
    files = _input_files(case)
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


def _input_files(case: Case) -> list[tuple[str, Path, int | None]]:
    files = [(str(modality), source.path, source.channel) for modality, source in case.sources.items()]
    return [*files, ("mask", case.mask, None)] if case.mask is not None else files


def _quick_state(path: Path) -> tuple[int | None, int | None]:
    try:
        return state_of(path)
    except OSError:
        return None, None
