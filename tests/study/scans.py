"""Small scans as files, with headers as odd as hospitals make them, and the cases found of them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np

from bratsseg.study.case import Case
from bratsseg.study.layout import find_cases

LPS = np.array([[-1.0, 0, 0, 5], [0, -1, 0, 7], [0, 0, 2, -3], [0, 0, 0, 1]])
SHAPE = (5, 6, 4)
FOUR = ("flair", "t1", "t1ce", "t2")


def oblique(degrees: float = 20.0) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.9, 0.9, 5.5])
    affine[:3, 3] = (-80, -100, -60)
    return affine


def image(
    voxels: np.ndarray | None = None,
    sform: np.ndarray | None = LPS,
    qform: np.ndarray | None = LPS,
    kind: type[nib.Nifti1Image] = nib.Nifti1Image,
    slope: float | None = None,
    intercept: float = 0.0,
    unit: str = "mm",
    endianness: str = "<",
) -> nib.Nifti1Image:
    """A NIfTI image whose forms are coded exactly as asked: None leaves a form without a code."""
    if voxels is None:
        voxels = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    header = kind.header_class(endianness=endianness)
    header.set_data_dtype(voxels.dtype)
    made = kind(voxels, None, header)
    made.header.set_sform(sform, code=0 if sform is None else 1)
    made.header.set_qform(qform, code=0 if qform is None else 1)
    made.header.set_xyzt_units(unit, "sec")
    if slope is not None:
        made.header.set_slope_inter(slope, intercept)
    return made


def save(path: Path, made: nib.Nifti1Image | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image() if made is None else made, path)
    return path


@cache
def _bytes() -> bytes:
    return image().to_bytes()


def put(root: Path, *names: str) -> Path:
    """Tiny scans at these paths below ``root``; a name that ends in .json becomes an empty object."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = b"{}" if name.endswith(".json") else _bytes()
        path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    return root


def put_json(path: Path, facts: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def brats(case: str, *extra: str) -> list[str]:
    return [f"{case}_{word}.nii.gz" for word in (*FOUR, *extra)]


def only(root: Path) -> Case:
    (case,) = find_cases(root)
    return case


def files(case: Case, root: Path) -> dict[str, str]:
    return {modality.label: source.path.relative_to(root).as_posix() for modality, source in case.sources.items()}
