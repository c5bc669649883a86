"""Several versions of one scan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.scans import only, put


def test_another_version_of_a_scan_is_left_out_and_said(tmp_path: Path) -> None:
    names = [f"UCSF-PDGM-0004_{w}.nii.gz" for w in ("T1", "T1c", "T2", "FLAIR", "T1_bias", "FLAIR_bias", "ADC", "DWI")]
    masks = [f"UCSF-PDGM-0004_{w}_segmentation.nii.gz" for w in ("brain", "brain_parenchyma", "tumor")]
    put(tmp_path / "UCSF-PDGM-0004_nifti", *names, *masks)
    case = only(tmp_path)
    assert sorted(source.path.name for source in case.sources.values()) == sorted(names[:4])
    assert case.reference is not None
    assert case.reference.name == "UCSF-PDGM-0004_tumor_segmentation.nii.gz"
    assert [(problem.fatal, "T1_bias" in problem.message) for problem in case.problems] == [(False, True)]


def test_a_brain_extracted_version_is_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "x", "T1.nii.gz", "T1_brain.nii.gz", "FLAIR.nii.gz")
    assert [problem.fatal for problem in only(tmp_path).problems] == [True]


@pytest.mark.parametrize(("base", "longer"), [("T1_post", "T1_post_KM"), ("T1", "T1_stroke"), ("T1", "T1_pre")])
def test_a_name_that_says_more_is_no_version(tmp_path: Path, base: str, longer: str) -> None:
    put(tmp_path / "x", f"{base}.nii.gz", f"{longer}.nii.gz", "FLAIR.nii.gz")
    (problem,) = only(tmp_path).problems
    assert problem.fatal
    assert f"{longer}.nii.gz" in problem.message
