"""What a case is made of, and what its files leave open."""

from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from tests.study.scans import only, put


def test_a_mask_that_may_be_brain_or_tumour_is_used_as_neither(tmp_path: Path) -> None:
    put(tmp_path / "pat1", "flair.nii.gz", "mask.nii.gz")
    case = only(tmp_path)
    assert (case.mask, case.reference) == (None, None)
    assert [(problem.fatal, "mask.nii.gz" in problem.message) for problem in case.problems] == [(False, True)]


def test_two_files_for_one_modality_refuse_the_case_by_name(tmp_path: Path) -> None:
    put(tmp_path / "pat", "flair.nii.gz", "T1_gd.nii.gz", "T1_post.nii.gz")
    case = only(tmp_path)
    (problem,) = case.problems
    assert (problem.code, problem.fatal) == ("modality_ambiguous", True)
    assert "T1_gd.nii.gz" in problem.message
    assert "T1_post.nii.gz" in problem.message
    assert Modality.T1C not in case.sources


def test_unnamed_scans_are_listed_as_refused(tmp_path: Path) -> None:
    put(tmp_path / "pat", "IM_0001.nii.gz", "IM_0002.nii.gz")
    case = only(tmp_path)
    assert case.problems[0].fatal
    assert "IM_0001.nii.gz" in case.problems[0].message


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("P1/FLAIR/x.nii.gz", "P1/T2F/x.nii.gz", "P1/T1/x.nii.gz"), "FLAIR/x.nii.gz, T2F/x.nii.gz all claim"),
        (
            ("sub-1/anat/sub-1_FLAIR.nii", "sub-1/b/sub-1_FLAIR.nii"),
            "anat/sub-1_FLAIR.nii, b/sub-1_FLAIR.nii all claim",
        ),
        (("P1/t1ce.nii.gz", "P1/t1c.nii.gz"), "t1c.nii.gz, t1ce.nii.gz all claim"),
    ],
)
def test_files_of_one_modality_are_told_with_their_folders(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    put(tmp_path, *names)
    (case,) = find_cases(tmp_path)
    assert case.problems[0].message.startswith(told)
