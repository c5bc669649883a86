"""What a file is for when it is not a scan."""

from __future__ import annotations

from pathlib import Path

from tests.study.scans import brats, only, put


def test_somebodys_predictions_are_no_scans(tmp_path: Path) -> None:
    put(tmp_path, *(f"in/BraTS2021_00001/{name}" for name in brats("BraTS2021_00001")))
    put(tmp_path, "predictions/BraTS2021_00001.nii.gz", "other/BraTS2021_00001_seg.nii.gz")
    case = only(tmp_path)
    assert (case.id, case.reference) == ("BraTS2021_00001", None)
