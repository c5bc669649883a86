from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from bratsseg.errors import CaseError, UsageError
from bratsseg.exchange import add_bids
from bratsseg.exchange.bids import collisions, subject_of
from bratsseg.results.record import CaseRecord
from bratsseg.study.dialect import get_dialect
from bratsseg.study.regions import Region
from tests.exchange.made import label_map, scan, write_export, write_nifti, write_result
from tests.report.results import make_record


@pytest.mark.parametrize(
    ("case", "subject"),
    [
        ("BraTS-GLI-00001-000", "sub-BraTSGLI00001000"),
        ("site A/P_7", "sub-siteAP7"),
        ("sub-01", "sub-01"),
        ("P1__2019-01-11", "sub-P1_ses-20190111"),
        ("P1__P1", "sub-P1P1"),
        ("sub-01_ses-pre", "sub-01_ses-pre"),
        ("sub-01/ses-pre", "sub-01_ses-pre"),
        ("sub-a-b", "sub-subab"),
    ],
)
def test_a_subject_is_the_letters_and_digits_of_the_case(case, subject):
    assert subject_of(case) == subject


def test_a_case_without_any_letter_that_bids_allows_is_refused():
    with pytest.raises(CaseError, match="case 患者: BIDS allows"):
        subject_of("患者")


def test_cases_that_would_be_one_subject_are_named():
    found = collisions(["P-1", "p1", "P2"])
    assert set(found) == {"P-1", "p1"}
    assert found["p1"] == "case p1: in BIDS it would be sub-p1, as would P-1; rename one of them"


def test_tables_and_sidecars_say_what_the_values_are(tmp_path):
    record = CaseRecord.model_validate(make_record("P1", not_assessable={"ET": "needs T1ce"}))
    shown = frozenset({Region.WT, Region.TC})
    files = write_export(
        label_map(assessable=shown), scan(), "P1", tmp_path, ["bids"], dialect=get_dialect("msd"), record=record
    )
    by_end = {file.name.partition("dseg")[2] or file.name: file for file in files}
    assert by_end[".tsv"].read_text() == (
        "index\tname\tabbreviation\tcolor\tmapping\n1\tEdema\tED\t#56b4e9\t7\n2\tTumour core\tTC\t#d55e00\t7\n"
    )
    facts = json.loads(by_end[".json"].read_text())
    assert facts["Manual"] is False
    assert facts["SpatialReference"] == "orig"
    assert facts["Dialect"] == "msd"
    assert facts["NotAssessable"] == {"ET": "needs T1ce"}
    about = json.loads(by_end["dataset_description.json"].read_text())
    assert about["DatasetType"] == "derivative"
    assert about["GeneratedBy"][0]["Name"] == "bratsseg"


def test_results_of_a_batch_become_one_data_set(tmp_path):
    for case in ("P1", "P2", "site/P3"):
        write_result(tmp_path, case)
    write_result(tmp_path, "P4", status="refused", code="skull_on", reason="the skull is on", outputs={})
    first = add_bids(tmp_path)
    assert set(first.done) == {"P1/P1_seg.nii.gz", "P2/P2_seg.nii.gz", "site/P3/P3_seg.nii.gz"}
    assert [(item.file, item.code) for item in first.refused] == [("P4/P4.json", "skull_on")]
    subjects = sorted(path.name for path in (tmp_path / "bids").glob("sub-*"))
    assert subjects == ["sub-P1", "sub-P2", "sub-siteP3"]
    anat = tmp_path / "bids" / "sub-P1" / "anat"
    probability = nib.load(anat / "sub-P1_space-orig_label-WT_desc-tumour_probseg.nii.gz")
    assert np.allclose(probability.get_fdata(), 0.8 * label_map().region(Region.WT), atol=1 / 255)
    before = {path: path.read_bytes() for path in (tmp_path / "bids").rglob("*.*")}
    assert set(add_bids(tmp_path).done) == set(first.done)  # and takes its own files for no results
    assert {path: path.read_bytes() for path in (tmp_path / "bids").rglob("*.*")} == before


def test_a_case_that_is_done_no_longer_leaves_the_data_set(tmp_path):
    for case in ("P1", "sub-2_ses-a"):
        write_result(tmp_path, case)
    add_bids(tmp_path)
    (tmp_path / "bids" / "sub-2" / "notes.txt").write_text("mine")
    record = tmp_path / "sub-2_ses-a" / "sub-2_ses-a.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"status": "refused", "outputs": {}}))
    add_bids(tmp_path)
    assert [path.name for path in (tmp_path / "bids" / "sub-2").iterdir()] == ["notes.txt"]
    assert len(list((tmp_path / "bids" / "sub-P1").rglob("*.*"))) == 5


def test_only_results_of_ours_can_be_made_a_data_set_in_place(tmp_path):
    write_nifti(tmp_path / "P1_seg.nii.gz", label_map().regions[0])
    with pytest.raises(UsageError, match="must be results of bratsseg"):
        add_bids(tmp_path)


def test_sessions_keep_their_folders(tmp_path):
    files = write_export(label_map(), scan(), "sub-9_ses-b", tmp_path, ["bids"], dialect=get_dialect("brats2023"))
    assert tmp_path / "bids/sub-9/ses-b/anat/sub-9_ses-b_space-orig_desc-tumour_dseg.nii.gz" in files
