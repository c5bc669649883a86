"""The scans that a result came from, as far as they still lie where they lay."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from bratsseg.errors import CaseError, ReadError
from bratsseg.results.reading import policy_of
from bratsseg.results.record import CaseRecord, InputFile, hash_or_none
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from bratsseg.study.stack import archive_of, is_stack
from bratsseg.study.volume import Study


def read_scans(scans: Path, result: CaseRecord) -> tuple[Study | None, tuple[str, ...]]:
    """The scans of a case as far as they still lie below ``scans`` unchanged, and what is not shown and why."""
    sources: dict[Modality, VolumeSource] = {}
    notes = []
    for modality in Modality:
        if (source := result.inputs.get(modality)) is not None:
            try:
                sources[modality] = VolumeSource(_found(scans, source), source.channel)
            except ReadError as error:
                notes.append(f"{modality.label} is not shown: {error}")
    mask = result.inputs.get("mask")
    try:
        case = Case(result.case, sources, mask=None if mask is None else _found(scans, mask))
        study = read_study(case, policy_of(result)) if sources else None
    except CaseError as error:
        return None, (*notes, f"the scans are not shown: {error}")
    return study, tuple(notes)


def _found(scans: Path, source: InputFile) -> Path:
    named = PurePosixPath(source.file)
    path = scans / named
    if named.is_absolute() or ".." in named.parts:  # links that the user put into the folder are followed
        raise ReadError("its path leads out of the folder of scans")
    if not path.is_file() and not is_stack(path) and archive_of(path) is None:
        raise ReadError("there is no such file in the folder of scans")
    if hash_or_none(path) != source.sha256:
        raise ReadError("the scan is not the one that was segmented")
    return path
