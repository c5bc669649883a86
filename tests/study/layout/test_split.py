"""A folder for each modality, or for each file."""

from __future__ import annotations

from pathlib import Path

from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from tests.study.scans import FOUR, files, put


def test_a_folder_of_its_own_may_hold_the_file_one_level_deeper(tmp_path: Path) -> None:
    kinds = ("1_FLAIR/NIFTI/FLAIR", "2_T1/NIFTI/T1", "3_T1GD/NIFTI/T1GD", "4_T2/NIFTI/T2")
    for patient in ("EGD-0001", "EGD-0002"):
        put(tmp_path / patient, *(f"{kind}.nii.gz" for kind in kinds))
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == ["EGD-0001", "EGD-0002"]
    assert all(list(case.sources) == list(Modality) for case in cases)


def test_a_folder_for_each_modality(tmp_path: Path) -> None:
    put(
        tmp_path,
        *(f"{word}/pat{n}.nii.gz" for word in FOUR for n in (1, 2)),
        "labels/pat1.nii.gz",
        "labels/pat2.nii.gz",
    )
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == ["pat1", "pat2"]
    assert files(cases[0], tmp_path)["T1ce"] == "t1ce/pat1.nii.gz"
    assert cases[1].reference == tmp_path / "labels" / "pat2.nii.gz"
