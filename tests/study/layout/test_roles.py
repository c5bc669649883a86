"""What a file is for when it is not a scan."""

from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.study.layout.roles import FileRole, key_of, role_of
from tests.study.scans import brats, only, put


def test_somebodys_predictions_are_no_scans(tmp_path: Path) -> None:
    put(tmp_path, *(f"in/BraTS2021_00001/{name}" for name in brats("BraTS2021_00001")))
    put(tmp_path, "predictions/BraTS2021_00001.nii.gz", "other/BraTS2021_00001_seg.nii.gz")
    case = only(tmp_path)
    assert (case.id, case.reference) == ("BraTS2021_00001", None)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("BraTS2021_00000_seg", FileRole.REFERENCE),
        ("OTMultiClass", FileRole.REFERENCE),
        ("VSD.Brain_3more.XX.O.OT.54517", FileRole.REFERENCE),
        ("sub-01_space-orig_dseg", FileRole.REFERENCE),
        ("W39_1998.09.19_Segm", FileRole.REFERENCE),
        ("case7_mask", FileRole.REFERENCE),
        ("tumor_mask", FileRole.REFERENCE),
        ("brainmask", FileRole.MASK),
        ("T1_brain_mask", FileRole.MASK),
        ("sub-01_desc-brain_mask", FileRole.MASK),
        ("mask", FileRole.UNDECIDED),
        ("T1_mask", FileRole.UNDECIDED),
        ("case_prob_WT", FileRole.DERIVED),
        ("T1_N4_brain", None),
        ("otter_001_t1", None),
    ],
)
def test_what_is_no_scan_is_not_taken_for_one(name: str, role: FileRole | None) -> None:
    assert role_of(name) is role


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("BraTS20_Training_001_t1ce", "BraTS20_Training_001"),
        ("T1_case7", "case7"),
        ("case7_post_T1", "case7"),
        ("sub-01_ce-gad_T1w", "sub-01"),
        ("flair", ""),
    ],
)
def test_the_case_stem_is_what_modality_words_leave(stem: str, key: str) -> None:
    assert key_of(stem) == key
