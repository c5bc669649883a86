"""Compute a few results again and compare: whether this machine, with this model, still gives what lies there."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bratsseg.batch.folder import segment_cases
from bratsseg.batch.options import BatchOptions
from bratsseg.errors import BratssegError
from bratsseg.inference import Segmenter
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.reading import read_labels
from bratsseg.results.record import CaseRecord, read_record, record_path
from bratsseg.study.case import Case

_ALIKE = 0.999
"""Share of voxels, of those that either label map marks, that must agree: another processor rounds otherwise."""


@dataclass(frozen=True)
class SecondRun:
    """A case that was computed again: whether it came out the same, and in words how."""

    case: str
    same: bool
    words: str


def sample(records: Sequence[CaseRecord], count: int, seed: int = 0) -> list[CaseRecord]:
    """``count`` of the done results that nobody changed, the same for the same seed."""
    fit = sorted((r for r in records if r.status == "done" and not r.edited), key=lambda record: record.case)
    return sorted(random.Random(seed).sample(fit, min(count, len(fit))), key=lambda record: record.case)


def recompute(
    records: Sequence[CaseRecord], cases: Sequence[Case], root: Path, out: Path, device: str = "auto"
) -> Iterator[SecondRun]:
    """Compute each of ``records`` again from its case among ``cases``, by its model and options, and compare."""
    by_id = {case.id: case for case in cases}
    loaded: tuple[str, Segmenter] | None = None
    for record in records:
        case = by_id.get(record.case)
        if case is None:
            yield SecondRun(record.case, False, "there are no scans of it in IN")
            continue
        try:
            if loaded is None or loaded[0] != record.model.name:
                loaded = (record.model.name, Segmenter.load(record.model.name, device))
        except BratssegError as error:
            yield SecondRun(record.case, False, str(error))
            continue
        if loaded[1].folder.sha256 != record.model.sha256:
            yield SecondRun(record.case, False, f"model {record.model.name} is not the one that made it")
            continue
        yield _compare(record, case, root, out, loaded[1])


def _compare(record: CaseRecord, case: Case, root: Path, out: Path, segmenter: Segmenter) -> SecondRun:
    asked = {key: record.options[key] for key in ("dialect", "geometry", "force") if key in record.options}
    with tempfile.TemporaryDirectory() as place:
        segment_cases([case], root, Path(place), BatchOptions.model_validate(asked), segmenter)
        now = read_record(record_path(Path(place), record.case))
        if now is None or now.status != "done":
            return SecondRun(record.case, False, "it came out " + (f"{now.status}: {now.reason}" if now else "lost"))
        if all(record.outputs.get(name) == digest for name, digest in now.outputs.items()):
            return SecondRun(record.case, True, "the same to the byte")
        _, before = read_labels(label_map_beside(record_path(out, record.case).parent, record))
        _, after = read_labels(label_map_beside(record_path(Path(place), now.case).parent, now))
    if before.shape != after.shape:
        return SecondRun(record.case, False, f"its size was {before.shape}, is {after.shape}")
    marked, differing = int(((before > 0) | (after > 0)).sum()), int(np.count_nonzero(before != after))
    same = differing <= (1 - _ALIKE) * max(marked, 1)
    return SecondRun(
        record.case, same, f"{differing:,} of {marked:,} voxels differ" if differing else "the same voxels"
    )
