"""Names and the sidecars beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.study.case import Case
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from tests.study.layout.test_filename import FLAIR, T1C, T1N, found, refusal, study
from tests.study.scans import only, put, put_json


def test_sidecars_separate_what_names_do_not(tmp_path: Path) -> None:
    put(tmp_path / "pat", "1_T1.nii.gz", "2_T1.nii.gz", "3_scan.nii.gz")
    put_json(tmp_path / "pat" / "1_T1.json", {"EchoTime": 0.003})
    put_json(tmp_path / "pat" / "2_T1.json", {"EchoTime": 0.003, "ContrastBolusAgent": "Gadovist"})
    put_json(tmp_path / "pat" / "3_scan.json", {"EchoTime": 0.1, "InversionTime": 2.2})
    case = only(tmp_path)
    assert not case.problems
    assert {m: source.path.name[0] for m, source in case.sources.items()} == {
        Modality.FLAIR: "3",
        Modality.T1N: "1",
        Modality.T1C: "2",
    }


def test_a_folder_knows_of_contrast_what_the_file_does_not_say(tmp_path: Path) -> None:
    put(tmp_path / "Miller", "T1/T1.nii.gz", "T1_KM/T1.nii.gz", "FLAIR/FLAIR.nii.gz")
    (case,) = find_cases(tmp_path)
    assert {m: source.path.parent.name for m, source in case.sources.items()} == {
        FLAIR: "FLAIR",
        T1N: "T1",
        T1C: "T1_KM",
    }


def with_sidecar(root: Path, stem: str, **facts: object) -> None:
    put_json(root / f"{stem}.json", facts)


@pytest.mark.parametrize(
    ("stem", "facts", "told"),
    [
        ("T1_MPRAGE", {"ContrastBolusAgent": "Gadovist"}, "ContrastBolusAgent 'Gadovist'"),
        ("T1_post", {"ContrastBolusAgent": "none"}, "ContrastBolusAgent 'none'"),
        ("T1 ohne KM", {"SeriesDescription": "t1 nach km"}, "SeriesDescription 't1 nach km'"),
        ("T2", {"EchoTime": 0.1, "InversionTime": 2.4}, "InversionTime 2.4 s"),
    ],
)
def test_a_contradiction_names_both_witnesses(tmp_path: Path, stem: str, facts: dict[str, object], told: str) -> None:
    root = study(tmp_path, stem, "FLAIR")
    with_sidecar(root, stem, **facts)
    text = refusal(tmp_path)
    assert f"{stem}.nii.gz" in text
    assert f"{stem}.json" in text
    assert told in text


def test_bids_without_ce_beside_a_stated_agent_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "sub-01" / "anat", "sub-01_T1w.nii.gz", "sub-01_FLAIR.nii.gz")
    with_sidecar(tmp_path / "sub-01" / "anat", "sub-01_T1w", ContrastBolusAgent="Gadovist")
    assert "sub-01_T1w.json" in refusal(tmp_path)


def test_bids_may_say_contrast_in_another_entity(tmp_path: Path) -> None:
    put(tmp_path / "sub-01" / "anat", "sub-01_acq-postGd_T1w.nii.gz", "sub-01_ce-none_T1w.nii.gz")
    assert found(tmp_path) == {"t1c": "sub-01_acq-postGd_T1w", "t1n": "sub-01_ce-none_T1w"}


def test_a_sidecar_leaves_open_what_it_does_not_say(tmp_path: Path) -> None:
    root = study(tmp_path, "scan1", "FLAIR")
    with_sidecar(root, "scan1", EchoTime=0.003)
    assert "scan1.nii.gz may be T1 or T1ce" in refusal(tmp_path)


def test_a_layout_file_wins_over_names_and_sidecars(tmp_path: Path) -> None:
    root = study(tmp_path / "in", "T1 ohne KM", "FLAIR")
    with_sidecar(root, "T1 ohne KM", ContrastBolusAgent="Gadovist")
    table = tmp_path / "layout.csv"
    table.write_text("case,t1ce,flair\nanna,Miller/T1 ohne KM.nii.gz,Miller/FLAIR.nii.gz\n", encoding="utf-8")
    (case,) = find_cases(tmp_path / "in", table)
    assert isinstance(case, Case)
    assert set(case.sources) == {T1C, FLAIR}
    assert not case.problems


@pytest.mark.parametrize("text", ["{broken", "[]", ""])
def test_a_sidecar_that_cannot_be_read_is_told_of(tmp_path: Path, text: str) -> None:
    root = study(tmp_path, "T1", "FLAIR")
    (root / "T1.json").write_text(text, encoding="utf-8")
    (case,) = find_cases(tmp_path)
    assert set(case.sources) == {T1N, FLAIR}
    assert [(problem.fatal, "T1.json" in problem.message) for problem in case.problems] == [(False, True)]


def test_an_agent_that_is_no_text_is_told_of(tmp_path: Path) -> None:
    with_sidecar(study(tmp_path, "T1_KM", "FLAIR"), "T1_KM", ContrastBolusAgent={"a": 1})
    (case,) = find_cases(tmp_path)
    assert [(problem.fatal, "{'a': 1}" in problem.message) for problem in case.problems] == [(False, True)]
