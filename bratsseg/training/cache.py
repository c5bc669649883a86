"""A cache of prepared cases on disk, memory-mapped: a sample costs the voxels of its window and no more.

``CACHE/<case>-<key>/`` holds ``images.npy`` (C, I, J, K) float16, ``regions.npy`` (R, I, J, K) uint8 and ``index.npz``.
The key hashes which files the case is made of, their sizes and times of change, and all that decides how they are
prepared: a file or a setting that changes gives another entry. An entry is renamed into place when it is whole, so that
several processes may fill one cache at once.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bratsseg.errors import CaseError, ContentError, GridMismatch, WriteError
from bratsseg.files import new_folder
from bratsseg.study.brain import find_brain
from bratsseg.study.case import raise_fatal
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.study.stack import state_of
from bratsseg.study.volume import Study
from bratsseg.tensors.transforms import Preparation
from bratsseg.training.prepared import PreparedCase, frame, prepared
from bratsseg.training.sources import TrainingCase

FORMAT = 2
"""Raised whenever the same files and settings give another entry."""
SIDES_TOO_FEW_FOR_PROCESSES = 8
"""Below so many cases to prepare, starting other processes takes longer than it saves."""


@dataclass(frozen=True)
class CaseCache:
    """Prepared cases in ``folder``: channels ``modalities``, truth ``regions``, in the frame of ``preparation``."""

    folder: Path
    preparation: Preparation
    modalities: tuple[Modality, ...]
    regions: tuple[Region, ...]

    def fill(
        self, cases: Sequence[TrainingCase], workers: int = 0, report: Callable[[int, int], None] | None = None
    ) -> None:
        """Prepare every case that is not there yet; ``report`` is told how many of how many are there.

        Raises a ``CaseError`` that names every case that cannot be trained on, once all have been tried: each must be
        mended or left out, none is skipped.
        """
        missing = [case for case in cases if not self._entry(case).is_dir()]
        done = len(cases) - len(missing)
        faults: list[CaseError] = []
        for fault in self._made(missing, workers):
            done += 1
            faults += [] if fault is None else [fault]
            if report is not None:
                report(done, len(cases))
        if len(faults) == 1:
            raise faults[0]
        if faults:
            told = "".join(f"\n  {fault}" for fault in faults)
            raise CaseError(f"{len(faults)} cases cannot be trained on; mend them, or leave them out:{told}")

    def open(self, case: TrainingCase) -> PreparedCase:
        """The case, prepared now if it is not there; its arrays stay on disk until a window is cut."""
        entry = self._entry(case)
        if not entry.is_dir():
            self.add(case)
        with np.load(entry / "index.npz") as index:
            arrays = {name: torch.from_numpy(index[name]) for name in index.files}
        facts = json.loads((entry / "facts.json").read_text(encoding="utf-8"))
        rows, tumour = (tuple(arrays[f"{kind}{axis}"] for axis in range(3)) for kind in ("rows", "tumour"))
        return PreparedCase(
            id=case.case.id,
            images=_mapped(entry / "images.npy"),
            regions=_mapped(entry / "regions.npy"),
            rows=(rows[0], rows[1], rows[2]),
            tumour_rows=(tumour[0], tumour[1], tumour[2]),
            places=tuple(arrays[f"places{n}"] for n in range(len(self.regions))),
            voxel_ml=facts["voxel_ml"],
            patient=case.patient,
        )

    def add(self, case: TrainingCase) -> None:
        """Prepare one case and put it in place; a ``CaseError`` says why it cannot be trained on."""
        made = prepare_case(case, self.preparation, self.modalities, self.regions)
        entry = self._entry(case)
        try:
            with new_folder(entry) as part:
                np.save(part / "images.npy", made.images.numpy())
                np.save(part / "regions.npy", made.regions.to(torch.uint8).numpy())
                np.savez(part / "index.npz", allow_pickle=False, **_index(made))
                (part / "facts.json").write_text(json.dumps({"case": case.case.id, "voxel_ml": made.voxel_ml}))
        except WriteError:
            if not entry.is_dir():  # otherwise another process was first
                raise

    def _made(self, missing: list[TrainingCase], workers: int) -> Iterator[CaseError | None]:
        """Prepare cases; for each, in their order, None or why it cannot be trained on."""
        if workers < 2 or len(missing) < SIDES_TOO_FEW_FOR_PROCESSES:
            yield from map(self._fault_of, missing)
            return
        with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            yield from pool.map(self._fault_of, missing)

    def _fault_of(self, case: TrainingCase) -> CaseError | None:
        try:
            self.add(case)
        except WriteError:
            raise  # the disk, not the case
        except CaseError as error:
            return error
        return None

    def _entry(self, case: TrainingCase) -> Path:
        source = case.case
        files = [*source.sources.values(), source.reference, source.mask]
        facts = {
            "format": FORMAT,
            "files": [_state(file) for file in files],
            "roles": [str(modality) for modality in source.sources],
            "dialect": case.dialect,
            "preparation": self.preparation.model_dump(mode="json"),
            "modalities": [str(modality) for modality in self.modalities],
            "regions": [str(region) for region in self.regions],
        }
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        return self.folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', source.id)[:80]}-{key}"


def prepare_case(
    case: TrainingCase, preparation: Preparation, modalities: tuple[Modality, ...], regions: tuple[Region, ...]
) -> PreparedCase:
    """Read a case and its reference, and take both to the model's frame.

    ``ContentError`` when it is a picture and ``preparation`` is for volumes, or the reverse, ``GridMismatch`` when the
    label map lies on another grid than the scans, ``LabelError`` on values outside the dialect, and what
    ``check --voxels`` would find.
    """
    # Not at the top: training on synthetic patients alone must not need what reads files.
    from bratsseg.study.checks import inspect  # noqa: PLC0415
    from bratsseg.study.reading import read_study  # noqa: PLC0415

    study = read_study(case.case)
    _require_subject(study, preparation)
    raise_fatal(study.case_id, inspect(study))
    truth = torch.from_numpy(read_truth(case, study.require_one_grid(), regions))
    framed = frame(study, find_brain(study), truth, modalities, preparation)
    return prepared(
        case.case.id, framed.images, framed.regions, framed.inside, voxel_ml=framed.voxel_ml, patient=case.patient
    )


def _require_subject(study: Study, preparation: Preparation) -> None:
    """What the released model would refuse to segment is not trained on either."""
    given = "volume" if study.reference.grid.physical else "picture"
    if given != preparation.subject:
        raise ContentError(
            f"case {study.case_id}: must be a {preparation.subject}, as preparation.subject says, was a {given}; "
            f"give preparation.subject={given} with what belongs to it, or leave the case out"
        )


def read_truth(case: TrainingCase, grid: Any, regions: tuple[Region, ...]) -> NDArray[np.bool_]:
    """The ``regions`` of a case's reference, (R, I, J, K) bool on ``grid``, which is that of its scans.

    ``GridMismatch``, ``LabelError``, or ``CaseError`` where its dialect does not tell one of them.
    """
    from bratsseg.study.dialect import get_dialect  # noqa: PLC0415
    from bratsseg.study.reading import read_reference  # noqa: PLC0415

    owner = f"case {case.case.id}: reference"
    assert case.case.reference is not None  # find_training_cases refuses such a case
    volume = read_reference(case.case.reference, owner, onto=grid)
    if not grid.same_as(volume.grid):
        raise GridMismatch(
            f"{owner} must lie on the grid of the scans, but {volume.grid.difference(grid)}; resample it, or correct "
            "its header"
        )
    dialect = get_dialect(case.dialect)
    untold = [region for region in regions if region not in dialect.expresses]
    if untold:
        raise CaseError(f"{owner}: dialect {dialect.name} does not tell {', '.join(untold)}; leave them out of regions")
    decoded = dialect.decode(volume.values(), owner)
    return decoded[[list(Region).index(region) for region in regions]]


def _index(case: PreparedCase) -> dict[str, NDArray[Any]]:
    index = {f"rows{axis}": rows.numpy() for axis, rows in enumerate(case.rows)}
    index |= {f"tumour{axis}": rows.numpy() for axis, rows in enumerate(case.tumour_rows)}
    return index | {f"places{n}": places.numpy() for n, places in enumerate(case.places)}


def _mapped(path: Path) -> Tensor:
    stored = np.load(path, mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch cannot say read-only; nobody writes to these
        return torch.from_numpy(stored)


def _state(source: Any) -> list[object] | None:
    """What is known of a file without reading it."""
    path = getattr(source, "path", source)
    if path is None:
        return None
    return [str(Path(path).absolute()), getattr(source, "channel", None), *state_of(Path(path))]
