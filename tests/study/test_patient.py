"""Ids from the user's names, and the patient and visit in an id: two ways of one road."""

from __future__ import annotations

from datetime import date
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.study.patient import id_of, identify, patient_of
from bratsseg.study.visit import tells

PATIENTS = st.from_regex(r"[A-Z][a-z]{3,6}[-_]?[0-9]{1,3}", fullmatch=True).filter(tells)
VISITS = st.one_of(
    st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(date.isoformat),
    st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(lambda day: day.strftime("%Y%m%d")),
    st.sampled_from(["baseline", "preop", "postop", "Verlauf", "visit1", "V02", "ses-01", "month06", "week4", "scan1"]),
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/in/Miller", "Miller"),
        ("/in/Miller/2019-01-11", "Miller__2019-01-11"),
        ("/in/Miller/preop/nifti", "Miller__preop__nifti"),
        ("/in/Miller/anat", "Miller__anat"),
        ("/in/P1/190111", "P1__190111"),
        ("/in/clinic/190111", "190111"),
        ("/in/RHUH-0001/0", "RHUH-0001__0"),
        ("/in/P1/P1_2019-01-11", "P1_2019-01-11"),
        ("/2019-01-11", "2019-01-11"),
        ("/data/scans/visit1", "data__scans__visit1"),
    ],
)
def test_an_id_is_the_shortest_path_that_tells_whose(path: str, name: str) -> None:
    assert id_of(PurePosixPath(path)) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/pred/2019-01-11", "2019-01-11"),
        ("/x/pred/P1/2019-01-11", "P1__2019-01-11"),
        ("/x/pred/anat/visit1", "visit1"),
        ("/x/pred/Miller", "Miller"),
    ],
)
def test_names_from_the_top_on_do_not_count(path: str, name: str) -> None:
    assert id_of(PurePosixPath(path), PurePosixPath("/x/pred")) == name


@pytest.mark.parametrize(
    ("case", "patient", "visit"),
    [
        ("BraTS-GLI-00005-100", "BraTS-GLI-00005", "100"),
        ("site/BraTS-GLI-00012-001", "site/BraTS-GLI-00012", "001"),
        ("BraTS2021_00005", "BraTS2021_00005", None),
        ("BraTS20_Training_001", "BraTS20_Training_001", None),
        ("BraTS19_2013_10_1", "BraTS19_2013_10_1", None),
        ("TCGA_CS_4942_19970222", "TCGA_CS_4942", "19970222"),
        ("TCGA-02-0003__06-08-1997-NA-MRI BRAIN-81239", "TCGA-02-0003", "06-08-1997-NA-MRI BRAIN-81239"),
        ("sub-7_ses-2", "sub-7", "ses-2"),
        ("sub-7/ses-2", "sub-7", "ses-2"),
        ("sub-7_ses-pre", "sub-7", "ses-pre"),
        ("sub-7", "sub-7", None),
        ("UCSF-PDGM-0429_FU003d_nifti", "UCSF-PDGM-0429", "FU003d_nifti"),
        ("UCSF-PDGM-0004_nifti", "UCSF-PDGM-0004", None),
        ("UPENN-GBM-00001_11", "UPENN-GBM-00001", "11"),
        ("RHUH-0001_0", "RHUH-0001", "0"),
        ("100101_time1", "100101", "time1"),
        ("Patient-042__week-000-1", "Patient-042", "week-000-1"),
        ("anna-2", "anna-2", None),
        ("anna-2024-03-01", "anna", "2024-03-01"),
        ("anna_19961399", "anna_19961399", None),
        ("anna_fu_3m", "anna", "fu_3m"),
        ("Patient_01_post_op", "Patient_01", "post_op"),
        ("P1_scan2", "P1", "scan2"),
        ("hospital_scan2", "hospital_scan2", None),
        ("P1__2019-01-11", "P1", "2019-01-11"),
        ("P1__2019-01-11__nifti", "P1", "2019-01-11"),
        ("a__P1__preop", "a__P1", "preop"),
        ("P1__anat", "P1", None),
        ("2019-01-11__P1", "P1", "2019-01-11"),
        ("2019-01-11_P1", "P1", "2019-01-11"),
        ("baseline_P1", "P1", "baseline"),
        ("post_mortem_7", "post_mortem_7", None),
        ("hospital_A-001", "hospital_A-001", None),
    ],
)
def test_patient_and_visit_of_an_id(case: str, patient: str, visit: str | None) -> None:
    owner = identify(case)
    assert owner.patient == patient_of(case) == patient
    assert (owner.visit.name if owner.visit else None) == visit


@pytest.mark.parametrize("case", ["2019-01-11", "baseline", "data__visit1", "MRI_20190111"])
def test_a_visit_alone_is_nobodys(case: str) -> None:
    assert identify(case).patient is None
    assert patient_of(case) == case


@given(PATIENTS, VISITS, st.sampled_from(["", "/nifti", "/anat"]))
def test_what_folders_say_is_read_back_from_the_id(patient: str, visit: str, deeper: str) -> None:
    case = id_of(PurePosixPath(f"/somewhere/{patient}/{visit}{deeper}"))
    owner = identify(case)
    assert owner.patient == patient
    assert owner.visit is not None
    assert owner.visit.name == visit
