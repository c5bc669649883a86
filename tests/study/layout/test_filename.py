"""Names of files read together."""

from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from tests.study.scans import put

FLAIR, T1N, T1C, T2W = Modality


def found(root: Path) -> dict[str, str]:
    """The stem of each modality's file, of the only case below ``root``."""
    (case,) = find_cases(root)
    assert not [problem for problem in case.problems if problem.fatal], case.problems
    return {str(modality): source.path.name.removesuffix(".nii.gz") for modality, source in case.sources.items()}


def refusal(root: Path) -> str:
    (case,) = find_cases(root)
    (text,) = [problem.message for problem in case.problems if problem.fatal]
    return text


def study(root: Path, *stems: str) -> Path:
    return put(root / "Miller", *(f"{stem}.nii.gz" for stem in stems))


@pytest.mark.parametrize(
    ("stems", "expected"),
    [
        (("FLAIR", "T1 ohne KM"), {"flair": "FLAIR", "t1n": "T1 ohne KM"}),
        (("FLAIR", "Sag MPRAGE +C", "Sag MPRAGE"), {"flair": "FLAIR", "t1n": "Sag MPRAGE", "t1c": "Sag MPRAGE +C"}),
        (("T1 mit KM", "T1 ohne KM", "T2"), {"t1c": "T1 mit KM", "t1n": "T1 ohne KM", "t2w": "T2"}),
        (("vor KM T1", "vor KM T2", "nach KM T1"), {"t1n": "vor KM T1", "t1c": "nach KM T1", "t2w": "vor KM T2"}),
        (("T1增强", "T1平扫", "T2压水"), {"t1c": "T1增强", "t1n": "T1平扫", "flair": "T2压水"}),
        (
            ("AX_T1_FLAIR", "AX_T2_FLAIR", "AX_T1_FLAIR_C+"),
            {"t1n": "AX_T1_FLAIR", "flair": "AX_T2_FLAIR", "t1c": "AX_T1_FLAIR_C+"},
        ),
        (("T1", "T1_adc", "T1_subtraction", "FLAIR_mIP"), {"t1n": "T1"}),
    ],
)
def test_contrast_words_give_each_t1_its_place(
    tmp_path: Path, stems: tuple[str, ...], expected: dict[str, str]
) -> None:
    assert found(study(tmp_path, *stems)) == expected


@pytest.mark.parametrize(
    ("names", "cases"),
    [
        (("KM_t1", "AB_t1"), {"KM": {T1N}, "AB": {T1N}}),
        (("KM_t1", "KM_flair", "AB_t1", "AB_flair"), {"KM": {T1N, FLAIR}, "AB": {T1N, FLAIR}}),
        (("KM_t1", "KM_t1ce", "KM_flair"), {"KM": {T1N, T1C, FLAIR}}),
        (("GD12_t1", "GD12_flair", "AB3_t1"), {"GD12": {T1N, FLAIR}, "AB3": {T1N}}),
        (("KM_001_t1", "AB_002_t1"), {"KM_001": {T1N}, "AB_002": {T1N}}),
    ],
)
def test_initials_say_nothing(tmp_path: Path, names: tuple[str, ...], cases: dict[str, set[Modality]]) -> None:
    put(tmp_path, *(f"{name}.nii.gz" for name in names))
    assert {case.id: set(case.sources) for case in find_cases(tmp_path)} == cases


def test_a_patients_folder_says_nothing_of_contrast(tmp_path: Path) -> None:
    put(tmp_path / "KM", "KM_t1.nii.gz")
    assert found(tmp_path) == {"t1n": "KM_t1"}


def test_a_word_in_the_name_of_every_scan_says_nothing(tmp_path: Path) -> None:
    assert set(found(study(tmp_path, "flair_KM", "t1_KM", "t2_KM"))) == {"flair", "t1n", "t2w"}
    assert set(found(study(tmp_path / "b", "flair_KM", "t1_KM", "t1ce_KM"))) == {"flair", "t1n", "t1c"}


def test_two_patients_named_behind_are_never_mixed(tmp_path: Path) -> None:
    assert "t1_AB.nii.gz, t1_KM.nii.gz all claim to be T1" in refusal(study(tmp_path, "t1_KM", "t1_AB"))


def test_series_of_one_patient_are_no_initials(tmp_path: Path) -> None:
    assert found(study(tmp_path, "nativ_t1", "km_t1", "flair")) == {"t1n": "nativ_t1", "t1c": "km_t1", "flair": "flair"}


@pytest.mark.parametrize("word", ["foo", "Omnigraf", "x"])
def test_an_unknown_word_on_one_of_two_t1s_is_refused(tmp_path: Path, word: str) -> None:
    text = refusal(study(tmp_path, "T1", f"T1_{word}", "FLAIR"))
    assert f"T1.nii.gz, T1_{word}.nii.gz all claim to be T1" in text
    assert len(word) == 1 or word.lower() in text


def test_files_of_one_name_are_told_with_their_folders(tmp_path: Path) -> None:
    put(tmp_path / "Miller", "T1/scan.nii.gz", "T1 nativ/scan.nii.gz", "FLAIR/scan.nii.gz")
    text = refusal(tmp_path)
    assert "T1/scan.nii.gz" in text
    assert "T1 nativ/scan.nii.gz" in text


@pytest.mark.parametrize("stem", ["KM_t1", "GD-T1", "SK T1 sag", "CE-T1WI", "KM(1)_T1"])
def test_what_may_be_initials_on_the_only_t1_is_refused(tmp_path: Path, stem: str) -> None:
    text = refusal(study(tmp_path, stem, "FLAIR"))
    assert f"{stem}.nii.gz may be T1 or T1ce" in text
    assert repr(stem[:2].lower()) in text


def test_another_t1_tells_that_an_agent_is_meant(tmp_path: Path) -> None:
    assert found(study(tmp_path, "T1", "KM_t1", "FLAIR")) == {"t1n": "T1", "t1c": "KM_t1", "flair": "FLAIR"}


@pytest.mark.parametrize(
    ("stem", "words"), [("T1 KM abgesetzt", ("km", "abgesetzt")), ("T1_post_bet", ("post", "bet"))]
)
def test_words_that_leave_contrast_open_are_named(tmp_path: Path, stem: str, words: tuple[str, ...]) -> None:
    text = refusal(study(tmp_path, stem, "FLAIR", "T1 MPRAGE sag"))
    assert all(repr(word) in text for word in words)


@pytest.mark.parametrize(("stem", "word"), [("T1 WC", "wc"), ("T1_CC", "cc"), ("T1_po", "po"), ("T1G", "g")])
def test_unknown_words_on_the_only_t1_are_noted(tmp_path: Path, stem: str, word: str) -> None:
    (case,) = find_cases(study(tmp_path, stem, "FLAIR").parent)
    assert set(case.sources) == {T1N, FLAIR}
    assert [(problem.fatal, repr(word) in problem.message) for problem in case.problems] == [(False, True)]


def test_a_name_that_all_scans_share_is_not_noted(tmp_path: Path) -> None:
    (case,) = find_cases(study(tmp_path, "T1_Miller", "FLAIR_Miller").parent)
    assert not case.problems


@pytest.mark.parametrize("name", ["Иванов", "张伟", "Παπαδόπουλος"])
def test_a_patients_name_in_any_script_says_nothing(tmp_path: Path, name: str) -> None:
    stems = study(tmp_path, f"T1_{name}", f"T1_KM_{name}", f"FLAIR_{name}")
    assert found(stems.parent) == {"t1n": f"T1_{name}", "t1c": f"T1_KM_{name}", "flair": f"FLAIR_{name}"}


def test_words_of_an_unknown_script_behind_the_only_t1_refuse_it(tmp_path: Path) -> None:
    assert "may be T1 or T1ce" in refusal(study(tmp_path, "T1 ด้วยสารทึบรังสี", "FLAIR"))
