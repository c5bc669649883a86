"""One study whose scans the user names one by one."""

from __future__ import annotations

import os
import re
from itertools import takewhile
from pathlib import Path

from bratsseg.batch.names import unfit_as_folder
from bratsseg.errors import UsageError
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality

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
    return Case(name, sources, mask=mask, layout="by hand"), root


def common_name(files: list[Path]) -> str:
    """The words that all stems begin with (``A-1`` of A-1_t1c.nii.gz and A-1_t2f.nii.gz), or the folder's name."""
    stems = {file.name.removesuffix(".gz").rpartition(".")[0] or file.name for file in files}
    parts = [re.split(r"([-_. ]+)", stem) for stem in sorted(stems)]
    shared = takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False))
    return "".join(same[0] for same in shared).strip(_SEPARATORS) or files[0].resolve().parent.name or "study"
