"""Data sets of the Medical Segmentation Decathlon."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bratsseg.study.modality import Modality
from tests.study.scans import image, only, put, put_json, save

MSD = {
    "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
    "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
}


def msd(root: Path) -> Path:
    save(root / "imagesTr" / "BRATS_001.nii.gz", image(np.zeros((3, 3, 3, 4), np.int16)))
    put(root, "labelsTr/BRATS_001.nii.gz", "imagesTr/._BRATS_001.nii.gz")
    return root


def test_msd_is_four_channels_of_one_file(tmp_path: Path) -> None:
    put_json(msd(tmp_path) / "dataset.json", MSD)
    case = only(tmp_path)
    assert (case.id, case.dialect) == ("BRATS_001", "msd")
    assert {m: source.channel for m, source in case.sources.items()} == dict(zip(Modality, (0, 1, 2, 3), strict=True))


def test_msd_without_dataset_json_is_refused(tmp_path: Path) -> None:
    case = only(msd(tmp_path))
    assert not case.sources
    assert "4 volumes in 4-D" in case.problems[0].message
