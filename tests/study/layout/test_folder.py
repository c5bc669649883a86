"""A folder for each case, and flat folders of many."""

from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from tests.study.scans import FOUR, brats, only, put


@pytest.mark.parametrize("stem", ["case{}", "hospital_A-{:03d}", "T2-study_{}"])
def test_a_flat_folder_of_many(tmp_path: Path, stem: str) -> None:
    put(tmp_path, *(name for n in (1, 2, 3) for name in brats(stem.format(n), "seg")))
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == [stem.format(n) for n in (1, 2, 3)]
    assert all(list(case.sources) == list(Modality) and case.reference and not case.problems for case in cases)


def test_patients_with_one_scan_each_are_not_merged(tmp_path: Path) -> None:
    put(tmp_path, "P1_flair.nii.gz", "P2_t1ce.nii.gz")
    assert [case.id for case in find_cases(tmp_path)] == ["P1", "P2"]


def test_series_numbers_are_no_patients(tmp_path: Path) -> None:
    put(tmp_path / "Miller", "3_T1.nii.gz", "4_T2.nii.gz", "5_FLAIR.nii.gz", "12_T1_post.nii.gz")
    case = only(tmp_path)
    assert case.id == "Miller"
    assert list(case.sources) == list(Modality)


def test_loose_files_of_one_study_are_named_by_their_folder(tmp_path: Path) -> None:
    root = put(tmp_path / "Miller", "T1.nii.gz", "AX_T1_post.nii", "axial_flair.nii.gz", "T2_TSE.nii.gz")
    assert only(root).id == "Miller"
    assert list(only(root).sources) == list(Modality)


def test_a_lone_study_at_the_top_keeps_the_stem_of_its_files(tmp_path: Path) -> None:
    put(tmp_path, *brats("case7"))
    assert only(tmp_path).id == "case7"


def test_an_id_that_names_a_modality_does_not_confuse(tmp_path: Path) -> None:
    put(tmp_path / "T2-gliom-01", *brats("T2-gliom-01"))
    assert list(only(tmp_path).sources) == list(Modality)


def test_an_atlas_above_the_patients_is_no_patient(tmp_path: Path) -> None:
    put(tmp_path, "atlas.nii.gz", *(f"pat1/{name}" for name in brats("x")))
    assert [case.id for case in find_cases(tmp_path)] == ["pat1"]


def test_a_patient_named_as_a_modality_may_have_other_scans(tmp_path: Path) -> None:
    put(tmp_path / "a" / "T2-gliom-01", *(f"T2-gliom-01_{word}.nii.gz" for word in ("flair", "t1ce", "dwi", "adc")))
    case = only(tmp_path)
    assert (case.id, set(case.sources), case.problems) == ("T2-gliom-01", {Modality.FLAIR, Modality.T1C}, ())


def test_two_timepoints_are_never_mixed_into_one_study(tmp_path: Path) -> None:
    put(tmp_path / "Miller", *(f"P1_{time}_{word}.nii.gz" for time in ("T1", "T2") for word in FOUR))
    assert all(any(problem.fatal for problem in case.problems) for case in find_cases(tmp_path))


def test_two_patients_with_unlike_scans_are_never_mixed(tmp_path: Path) -> None:
    put(tmp_path / "x", "Miller_flair.nii.gz", "Miller_t1.nii.gz", "Meier_t2.nii.gz", "Meier_t1ce.nii.gz")
    assert [(case.id, len(case.sources)) for case in find_cases(tmp_path)] == [("Meier", 2), ("Miller", 2)]


def test_dcm2niix_names_with_series_numbers_at_the_end(tmp_path: Path) -> None:
    words = ("AX_T1_20200101120000_4", "AX_T1_POST_20200101120000_9", "AX_FLAIR_20200101120000_5")
    put(tmp_path / "Miller", *(f"{word}.nii.gz" for word in words))
    case = only(tmp_path)
    assert (case.id, set(case.sources)) == ("Miller", {Modality.FLAIR, Modality.T1N, Modality.T1C})


@pytest.mark.parametrize("name", ["Miller (2)", "Smith [old]", "(A)", "x{1}"])
def test_a_name_keeps_the_brackets_it_ends_with(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"{name}_flair.nii.gz", f"{name}_t1ce.nii.gz", "Other_flair.nii.gz", "Other_t1ce.nii.gz")
    assert {case.id for case in find_cases(tmp_path)} == {name, "Other"}
