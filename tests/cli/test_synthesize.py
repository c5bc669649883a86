"""Synthetic patients as files."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from bratsseg.study.layout import find_cases
from tests.flows.conftest import bratsseg

SUFFIXES = ("t1n", "t1c", "t2w", "t2f")


def test_synthetic_patients_look_like_brats_2023(tmp_path: Path) -> None:
    assert bratsseg("synthesize", tmp_path, "--cases", 1, "--seed", 0).code == 0
    folder = tmp_path / "BraTS-SYN-00000-000"
    images = {suffix: nib.load(folder / f"{folder.name}-{suffix}.nii.gz") for suffix in (*SUFFIXES, "seg")}
    assert len(list(folder.iterdir())) == 5
    for image in images.values():
        assert image.shape == (240, 240, 155)
        assert np.array_equal(image.affine, [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
        assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 1)
        assert image.get_data_dtype() == np.int16
    tumour = np.asarray(images["seg"].dataobj) > 0
    assert tumour.any()
    assert set(np.unique(np.asarray(images["seg"].dataobj))) <= {0, 1, 2, 3}
    flair = np.asarray(images["t2f"].dataobj)
    assert flair[tumour].mean() > flair[(flair > 0) & ~tumour].mean()
    assert [case.dialect for case in find_cases(tmp_path)] == ["brats2023"]
