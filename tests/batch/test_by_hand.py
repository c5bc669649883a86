"""A study whose scans are named one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.batch.by_hand import case_by_hand, common_name
from bratsseg.errors import UsageError
from bratsseg.study.modality import Modality


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (["x/BraTS-GLI-00001-000-t1c.nii.gz", "x/BraTS-GLI-00001-000-t2f.nii.gz"], "BraTS-GLI-00001-000"),
        (["x/sub-01_FLAIR.nii", "x/sub-01_T1w.nii.gz"], "sub-01"),
        (["anna/t1.nii.gz", "anna/t1ce.nii.gz"], "anna"),
        (["x/LPS.nii.gz", "x/LPS.nii.gz"], "LPS"),
        (["x/head.v2.mha"], "head.v2"),
    ],
)
def test_a_study_by_hand_is_called_what_its_files_share(tmp_path: Path, files: list[str], name: str) -> None:
    assert common_name([tmp_path / file for file in files]) == name


def test_a_study_by_hand_wants_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was a folder"):
        case_by_hand({Modality.FLAIR: tmp_path})


def test_a_scan_given_as_what_its_name_denies_is_warned_of(tmp_path: Path) -> None:
    scans = {Modality.FLAIR: tmp_path / "T1 mit Gadolinium.nii.gz", Modality.T2W: tmp_path / "T2.nii.gz"}
    for path in scans.values():
        path.touch()
    case, _ = case_by_hand(scans)
    assert {modality: source.path for modality, source in case.sources.items()} == scans
    (problem,) = case.problems
    assert not problem.fatal
    assert problem.message == "T1 mit Gadolinium.nii.gz taken as FLAIR as asked, but its name says T1ce"
