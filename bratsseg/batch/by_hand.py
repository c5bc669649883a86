"""One study whose scans the user names one by one."""

from __future__ import annotations

import os
import re
from itertools import takewhile
from pathlib import Path

from bratsseg.batch.names import unfit_as_folder
from bratsseg.errors import ModalityAmbiguous, UsageError
from bratsseg.study.case import Case, Problem, VolumeSource
from bratsseg.study.layout.roles import stem_of
from bratsseg.study.modality import Modality, read_name

_SEPARATORS = "-_. "


def case_by_hand(
    scans: dict[Modality, Path], mask: Path | None = None, case_id: str | None = None
) -> tuple[Case, Path]:
    """A case from named scans, and the folder that holds them all; ``UsageError`` when one is not a file.

    Its id is ``case_id``, otherwise what the file names have in common, otherwise the name of the first
    scan's folder. One file may serve as two modalities; the checks warn of it.
    """
    files = [*scans.values(), *([] if mask is None else [mask])]
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: must be a file, {'was a folder' if file.is_dir() else 'there is none'}")
    sources = {modality: VolumeSource(scans[modality]) for modality in Modality if modality in scans}
    name = case_id or common_name(list(scans.values()))
    if (unfit := unfit_as_folder(name)) is not None:
        raise UsageError(f"study {name!r}: {unfit.partition(';')[0]}; name it with --case-id")
    root = Path(os.path.commonpath([file.resolve().parent for file in files]))
    problems = tuple(problem for modality in sources if (problem := _named_otherwise(modality, scans[modality])))
    return Case(name, sources, mask=mask, layout="by hand", problems=problems), root


def _named_otherwise(modality: Modality, path: Path) -> Problem | None:
    """A warning where a file's name speaks of another modality than it is given as; what the user says is done."""
    said = read_name(stem_of(path))
    if (not said.claims and not said.other) or modality in said.claims:
        return None
    labels = " or ".join(one.label for one in Modality if one in said.claims) or "none of the four"
    text = f"{path.name} taken as {modality.label} as asked, but its name says {labels}"
    return Problem(ModalityAmbiguous, text, fatal=False)


def common_name(files: list[Path]) -> str:
    """The words that all stems begin with (``A-1`` of A-1_t1c.nii.gz and A-1_t2f.nii.gz), or the folder's name."""
    stems = {file.name.removesuffix(".gz").rpartition(".")[0] or file.name for file in files}
    parts = [re.split(r"([-_. ]+)", stem) for stem in sorted(stems)]
    shared = takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False))
    return "".join(same[0] for same in shared).strip(_SEPARATORS) or files[0].resolve().parent.name or "study"
