"""Ids of cases: the same whoever else is there, and wherever the search starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bratsseg.study.layout import find_cases
from tests.study.scans import put
from tests.study.test_patient import PATIENTS, VISITS

FORMS = (
    "{p}/{v}/flair.nii",
    "{p}/{v}/{v}_flair.nii",
    "{p}/{v}/nifti/T2.nii",
    "{p}/{v}_flair.nii",
    "{p}/{v}/FLAIR/flair.nii",
)
CLINIC = st.dictionaries(PATIENTS, st.sets(VISITS, min_size=1, max_size=3), min_size=2, max_size=4)


def ids(root: Path) -> dict[str, str]:
    """Ids by the file that the case has, below the root."""
    return {str(source.path): case.id for case in find_cases(root) for source in case.sources.values()}


@settings(max_examples=60, deadline=None)
@given(clinic=CLINIC, form=st.sampled_from(FORMS), data=st.data())
def test_ids_of_some_are_those_they_have_among_all(
    tmp_path_factory: pytest.TempPathFactory, clinic: dict[str, set[str]], form: str, data: st.DataObject
) -> None:
    clinic = {name: clinic[name] for name in {name.casefold(): name for name in clinic}.values()}
    root = tmp_path_factory.mktemp("x") / "clinic"
    for patient, visits in clinic.items():
        put(root, *(form.format(p=patient, v=visit) for visit in visits))
    everyone = ids(root)
    assert len(set(everyone.values())) == len(everyone) == sum(map(len, clinic.values()))
    for patient in clinic:
        alone = ids(root / patient)
        assert alone == {path: everyone[path] for path in alone}
    for patient in data.draw(st.lists(st.sampled_from(sorted(clinic)), unique=True, max_size=len(clinic) - 1)):
        shutil.rmtree(root / patient)
    left = ids(root)
    assert left
    assert left == {path: everyone[path] for path in left}


@pytest.mark.parametrize("start", [".", "P1", "P1/2019-01-11"])
def test_a_search_may_start_anywhere(tmp_path: Path, start: str) -> None:
    root = put(tmp_path / "clinic", "P1/2019-01-11/flair.nii", "P1/2020-01-11/flair.nii", "P2/2019-01-11/flair.nii")
    everyone = {"P1__2019-01-11", "P1__2020-01-11", "P2__2019-01-11"}
    found = {case.id for case in find_cases(root / start)}
    assert "P1__2019-01-11" in found
    assert found <= everyone
    assert (found == everyone) == (start == ".")


def test_a_second_visit_beside_the_first_renames_nothing(tmp_path: Path) -> None:
    put(tmp_path / "clinic", "Miller/2019-01-11_flair.nii", "Miller/2019-01-11_t1.nii")
    assert [case.id for case in find_cases(tmp_path / "clinic")] == ["Miller__2019-01-11"]
    put(tmp_path / "clinic", "Miller/2020-01-11_flair.nii")
    assert [case.id for case in find_cases(tmp_path / "clinic")] == ["Miller__2019-01-11", "Miller__2020-01-11"]


def test_a_second_visit_in_file_names_renames_nothing(tmp_path: Path) -> None:
    put(tmp_path / "clinic", "100102/100102_time1_flair.nii", "100102/100102_time1_t1.nii")
    assert [case.id for case in find_cases(tmp_path / "clinic")] == ["100102_time1"]
    put(tmp_path / "clinic", "100102/100102_time2_flair.nii")
    assert [case.id for case in find_cases(tmp_path / "clinic")] == ["100102_time1", "100102_time2"]


def test_sessions_that_files_do_not_name_are_cases_of_their_own(tmp_path: Path) -> None:
    put(tmp_path, *(f"sub-1/ses-{n}/anat/sub-1_{word}.nii" for n in "12" for word in ("T1w", "FLAIR")))
    assert [case.id for case in find_cases(tmp_path)] == ["sub-1_ses-1", "sub-1_ses-2"]
    shutil.rmtree(tmp_path / "sub-1" / "ses-2")
    assert [case.id for case in find_cases(tmp_path)] == ["sub-1_ses-1"]


def test_folders_of_scans_for_each_modality_belong_to_the_visit(tmp_path: Path) -> None:
    put(tmp_path / "clinic", *(f"P{n}/2019-01-11/{word}/x.nii" for n in "12" for word in ("FLAIR", "T1", "T1ce", "T2")))
    cases = find_cases(tmp_path / "clinic")
    assert [(case.id, len(case.sources), case.patient) for case in cases] == [
        ("P1__2019-01-11", 4, "P1"),
        ("P2__2019-01-11", 4, "P2"),
    ]


def test_a_case_knows_its_patient_and_visit(tmp_path: Path) -> None:
    (case,) = find_cases(put(tmp_path / "clinic", "P1/11.01.2019/flair.nii"))
    assert case.patient == "P1"
    assert case.visit is not None
    assert str(case.visit.day) == "2019-01-11"


def test_one_name_in_two_spellings_of_its_letters_is_told_apart(tmp_path: Path) -> None:
    root = put(tmp_path / "x", "a/M\u00fcller/flair.nii", "b/Mu\u0308ller/flair.nii")
    assert [case.id for case in find_cases(root)] == ["a__M\u00fcller", "b__Mu\u0308ller"]


@pytest.mark.real
def test_dates_as_ids_of_the_shared_data(real_data: Path) -> None:
    found = find_cases(real_data / "faults" / "dates-as-ids")
    assert sorted({case.patient for case in found}) == ["P1", "P2", "P3", "P4"]
    assert len({case.id for case in found}) == 8
