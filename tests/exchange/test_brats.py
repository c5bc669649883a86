"""A synthetic patient as a folder of BraTS."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from bratsseg.exchange.brats import write_patient
from bratsseg.synthesis.patient import SyntheticPatient
from tests.flows.conftest import hashes


def _patient() -> SyntheticPatient:
    """A brain of 20 x 30 x 170 voxels whose left, back and lowest ends are marked in T1, with truth at the top."""
    brain = torch.ones((20, 30, 170), dtype=torch.bool)
    images = torch.full((4, 20, 30, 170), 0.5)
    images[1, 0], images[1, :, 0], images[1, :, :, 0] = 1.0, 2.0, 3.0
    regions = torch.zeros((3, 20, 30, 170), dtype=torch.bool)
    regions[:, 5:10, 5:10, 165:] = True
    return SyntheticPatient(images, regions, brain, (1.0, 1.0, 1.0))


def test_a_patient_lies_the_right_way_round_and_keeps_its_vertex(tmp_path: Path) -> None:
    folder = write_patient(_patient(), tmp_path, "x", "synthetic")
    image = nib.load(folder / "x-t1n.nii.gz")
    ras = np.asarray(nib.as_closest_canonical(image).dataobj)
    inside = ras[np.ix_(*(np.flatnonzero(ras.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))))]
    assert inside.shape == (20, 30, 155)
    assert (inside[0, 1:] > inside[5, 5, 5]).all()
    assert (inside[:, 0] > inside[0, 5, 5]).all()
    assert (inside[1:, 1:, 0] == inside[5, 5, 5]).all(), "the lowest slices are cut off"
    truth = np.asarray(nib.as_closest_canonical(nib.load(folder / "x-seg.nii.gz")).dataobj)
    assert (truth == 3).sum() == 5 * 5 * 5
    assert (truth == 3)[:, :, -1].any()


def test_the_same_patient_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_patient(_patient(), tmp_path / name, "x", "synthetic")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
