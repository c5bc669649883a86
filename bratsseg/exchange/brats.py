"""Synthetic patients as a folder of BraTS 2023: its file names, grid, type and label values, which many programs read.

Here, and not in ``synthesis``, because that makes arrays and knows no files; nor in ``study``, which knows no
synthetic patient.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from bratsseg.files import write_bytes
from bratsseg.study.brain import bounding_box
from bratsseg.study.dialect import get_dialect
from bratsseg.synthesis.patient import SyntheticPatient

# BraTS since 2017: 1 mm, axes LPS, this corner in RAS mm.
SHAPE = (240, 240, 155)
ORIGIN = (0.0, 239.0, 0.0)
_SUFFIXES = ("t2f", "t1n", "t1c", "t2w")  # in Modality order
_BRIGHT = 1000.0


def write_patient(patient: SyntheticPatient, out: Path, name: str, description: str) -> Path:
    """Write a patient of 1 mm as OUT/name/name-{t2f,t1n,t1c,t2w,seg}.nii.gz; returns its folder.

    The same patient gives the same bytes. ``description`` is told in each header, up to 79 bytes. ``WriteError``.
    """
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    brain = patient.brain.cpu().numpy()
    for suffix, image in zip(_SUFFIXES, patient.images.cpu().numpy(), strict=True):
        scale = _BRIGHT / max(float(np.percentile(image[brain], 99.0)), 1e-6)
        stored = np.where(brain, np.clip(np.rint(image * scale), 1, 32767), 0).astype(np.int16)
        content = _nifti(_on_brats_grid(stored, brain), description)
        write_bytes(folder / f"{name}-{suffix}.nii.gz", content)
    labels = get_dialect("brats2023").encode(patient.regions.cpu().numpy()).astype(np.int16)
    write_bytes(folder / f"{name}-seg.nii.gz", _nifti(_on_brats_grid(labels, brain), description))
    return folder


def _on_brats_grid(voxels: NDArray[np.int16], brain: NDArray[np.bool_]) -> NDArray[np.int16]:
    """RAS voxels (I, J, K) → LPS on the BraTS grid, the brain's box in the middle; 0 where there is nothing.

    A brain taller than the grid loses its lowest slices, as in a scan whose field of view was set to the vertex.
    """
    box = bounding_box(brain) or tuple(slice(0, size) for size in brain.shape)
    inside = voxels[box][::-1, ::-1, :]
    grid = np.zeros(SHAPE, dtype=np.int16, order="F")
    kept = tuple(min(size, room) for size, room in zip(inside.shape, SHAPE, strict=True))
    starts = tuple((room - size) // 2 for size, room in zip(kept, SHAPE, strict=True))
    to = tuple(slice(start, start + size) for start, size in zip(starts, kept, strict=True))
    grid[to] = inside[: kept[0], : kept[1], inside.shape[2] - kept[2] :]
    return grid


def _nifti(voxels: NDArray[np.int16], description: str) -> bytes:
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[:3, 3] = ORIGIN
    image: nib.Nifti1Image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode()[:79]
    return bytes(igzip.compress(image.to_bytes(), 1, mtime=0))
