"""Names of visits as hospitals and data sets write them, and names of patients that must not be taken for them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.study.visit import is_technical, looks_like_patient, read_visit, tells


def _words(text: str) -> list[str]:
    return text.split()


ELEVENTH = date(2019, 1, 11)


@pytest.mark.parametrize(
    "name",
    [
        "20190111",
        "2019-01-11",
        "2019_01_11",
        "2019.01.11",
        "2019-1-11",
        "11.01.2019",
        "11.1.19",
        "11-Jan-2019",
        "11jan2019",
        "2019Jan11",
        "11. Januar 2019",
        "11 janvier 2019",
        "January 11, 2019",
        "20190111_142530",
        "20190111142530",
        "2019-01-11T1425",
        "MRI_20190111",
        "2019-01-11_MRT",
        "visit2_2019-01-11",
        "01-2019-01-11",
    ],
)
def test_dates_that_can_be_nothing_else(name: str) -> None:
    visit = read_visit(name)
    assert visit is not None
    assert (visit.day, visit.sure) == (ELEVENTH, True)


@given(st.dates(date(1970, 1, 1), date(2100, 12, 31)), st.sampled_from(["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%d.%m.%Y"]))
def test_any_date_is_read_back(day: date, form: str) -> None:
    visit = read_visit(day.strftime(form))
    assert visit is not None
    assert visit.day == day


@given(st.integers(0, 99_999_999))
def test_eight_digits_that_are_no_date_are_somebodys(number: int) -> None:
    name = f"{number:08d}"
    try:
        known = date(int(name[:4]), int(name[4:6]), int(name[6:])).year in range(1970, 2101)
    except ValueError:
        known = False
    assert (read_visit(name) is not None) == known


@pytest.mark.parametrize("name", ["01-02-2019", "06-08-1997-NA-MRI BRAIN-81239", "Jan2019"])
def test_a_date_whose_day_nobody_can_tell_is_a_visit(name: str) -> None:
    visit = read_visit(name)
    assert visit is not None
    assert visit.day is None


@pytest.mark.parametrize(
    "name",
    _words(
        """visit1 Visit_2 V02 ses-01 session2 timepoint_3 Timepoint_1 tp1 t0 baseline Baseline bl followup FollowUp
    follow-up fu1 FU003d fu_3m month06 m06 M12 3m 12months week4 week-000-1 day1 year2 preop pre-op PreOp postop Post_OP
    post-RT
    intraop intra-op post pre scan1 study2 exam1 MR1 MRI_2019 2ndVisit visit_A visit2a postop_day2 relapse
    Verlauf Verlaufskontrolle_3 Kontrolle2 praeOP präOP prä-OP Nachsorge Besuch1 Monat3 Woche12 vorher
    suivi contrôle_1 visite2 préop mois6 seguimiento visita1 semana2 controllo mese3 dopo opvolging wizyta1
    术前 术后2 随访1 術前 術後"""
    ),
)
def test_words_for_visits(name: str) -> None:
    assert read_visit(name) is not None
    assert not tells(name)


@pytest.mark.parametrize(
    "name",
    _words(
        """anat nifti NIfTI NIfTI_files scans scan dicom DICOM data raw_data mri MRI images preprocessed FLAIR T1 t1ce
    MRI_BRAIN"""
    ),
)
def test_technical_names(name: str) -> None:
    assert is_technical(name)
    assert not tells(name)


@pytest.mark.parametrize(
    "name",
    _words(
        """Miller P1 pat1 case7 001 1 12345678 190111 2019 BraTS2021_00012 BraTS20_Training_001 BraTS-GLI-00005-100
    Brats18_2013_2_1 BraTS19_2013_10_1 brats_2013_pat0001_1 TCGA_CS_4941_19960909 sub-01 sub-01_ses-1 EGD-0001
    UCSF-PDGM-0004_nifti UPENN-GBM-00001_11 T2-gliom-01 T2-study_1 hospital_A-001 BRATS_001 scan_001 anna-2
    control1 control_02 May April März Augustin Marz_Anna x y2k 100101_time1 P1_2019-01-11 visiting_hospital"""
    ),
)
def test_names_of_patients_tell(name: str) -> None:
    assert tells(name)


@pytest.mark.parametrize(
    ("name", "parent", "visit"),
    [
        ("190111", "P1", True),
        ("110119", "RHUH-0001", True),
        ("11012019", "sub-07", True),
        ("2019", "pat_03", True),
        ("2019-01", "104233", True),
        ("190111", "Miller_Anna", True),
        ("0", "RHUH-0001", True),
        ("2", "P1", True),
        ("190111", "clinic", False),
        ("193311", "P1", False),
        ("2", "clinic", False),
        ("2", "Miller_Anna", False),
        ("2", "site_001", False),
        ("2", "BraTS2021", False),
        ("2", "fold0", False),
        ("001", "P1", False),
    ],
)
def test_a_number_is_a_visit_only_below_a_patient(name: str, parent: str, visit: bool) -> None:
    assert (read_visit(name, parent) is not None) == visit
    assert read_visit(name) is None


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("visit2", ("visit", 2)),
        ("V02", ("v", 2)),
        ("month06", ("month", 6)),
        ("FU003d", ("fu d", 3)),
        ("week-000-1", None),
        ("preop", None),
        ("post_2019", None),
    ],
)
def test_the_number_of_a_visit(name: str, order: tuple[str, int] | None) -> None:
    visit = read_visit(name)
    assert visit is not None
    assert visit.order == order


@pytest.mark.parametrize(
    "name", ["BraTS2021", "site_001", "clinic", "Dataset137", "test01", "2019-01-11", "visit1", "a1"]
)
def test_what_is_not_plainly_a_patient(name: str) -> None:
    assert not looks_like_patient(name)
