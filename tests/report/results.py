"""Result folders as ``bratsseg segment`` leaves them, made of small synthetic patients."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from bratsseg.study.dialect import get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study, Volume
from bratsseg.study.writing import write_label_map
from tests.conftest import ball, make_study

SHAPE = (48, 56, 44)


def tumour(
    shape: tuple[int, int, int] = SHAPE,
    centre: tuple[float, float, float] = (16, 33, 22),
    radii: tuple[float, float, float] = (7, 4, 2),
) -> np.ndarray:
    """Nested balls as regions (3, I, J, K) bool; radius 0 leaves a region empty."""
    return np.stack([ball(shape, centre, radius) if radius else np.zeros(shape, dtype=bool) for radius in radii])


def make_record(case: str, **changes: Any) -> dict[str, Any]:
    """A record of a done case, as plain values."""
    return {
        "bratsseg": {"schema": 1, "version": "0.1.0"},
        "case": case,
        "status": "done",
        "model": {"name": "default", "version": "1.0", "sha256": "ab" * 32},
        "dialect": "brats2023",
        "versions": {"python": "3.11.2", "torch": "2.8.0"},
        "options": {"dialect": "brats2023", "probabilities": False, "geometry": {"shear": "refuse"}},
        "inputs": {},
        "outputs": {},
        "volumes_ml": {},
        "not_assessable": {},
        "warnings": [],
        "seconds": {"run": 1.0},
        "facts": {"brain_rule": "constant border", "brain_ml": 1403.2, "pass": "whole"},
        **changes,
    }


def write_result(
    out: Path, case: str, study: Study, regions: np.ndarray, scans: Path | None = None, **changes: Any
) -> Path:
    """A done case in ``out``: label map and record; its scans go to ``scans`` when that is given."""
    folder = out / case
    folder.mkdir(parents=True)
    record = make_record(case, **changes)
    stem = case.rpartition("/")[2]
    label_file = folder / f"{stem}_seg.nii.gz"
    write_label_map(label_file, get_dialect(record["dialect"]).encode(regions), study.reference, "bratsseg 0.1.0")
    record["outputs"] = {label_file.name: _sha256(label_file)}
    for modality, volume in study.volumes.items() if scans is not None else ():
        record["inputs"][str(modality)] = {"file": f"{stem}/{stem}-{modality}.nii.gz", "sha256": None}
        path = scans / record["inputs"][str(modality)]["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(path, volume)
        record["inputs"][str(modality)]["sha256"] = _sha256(path)
    (folder / f"{stem}.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def write_refusal(out: Path, case: str, **changes: Any) -> Path:
    """A refused case in ``out``."""
    why = {"status": "refused", "code": "skull_on", "reason": "FLAIR must be brain-extracted", "stage": "prepare"}
    folder = out / case
    folder.mkdir(parents=True)
    (folder / f"{folder.name}.json").write_text(json.dumps(make_record(case, **(why | changes))), encoding="utf-8")
    return folder


def head(modalities: tuple[Modality, ...] = tuple(Modality), **options: Any) -> Study:
    """The small round head of the other tests."""
    return make_study(modalities, **options)


def picture_study() -> tuple[Study, LabelMap]:
    """A slice stack whose pixels have no size, with a tumour."""
    study = make_study((Modality.FLAIR,), shape=SHAPE)
    grid = Grid(SHAPE, np.eye(4), physical=False)
    study.volumes[Modality.FLAIR] = Volume(study.volumes[Modality.FLAIR].voxels, grid)
    return study, LabelMap(tumour(), grid, frozenset({Region.WT}))


def _save(path: Path, volume: Volume) -> None:
    image = nib.Nifti1Image(volume.voxels, volume.grid.affine)
    image.set_sform(volume.grid.affine, code=1)
    image.set_qform(volume.grid.affine, code=1)
    nib.save(image, path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
