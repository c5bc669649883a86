"""The page of a data set: bad cases first, histograms inside, nothing fetched, nothing unescaped."""

from __future__ import annotations

import csv
import json

import nibabel as nib
import numpy as np

from bratsseg.evaluation.dataset import QUANTILES, CaseDescription, ReferenceFacts, ScanFacts
from bratsseg.evaluation.dataset_summary import DatasetFacts
from bratsseg.report.dataset_report import dataset_page
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from tests.evaluation.test_dataset import study
from tests.flows.conftest import bratsseg


def test_one_command_writes_page_table_and_summary(tmp_path):
    for number in range(2):
        study(tmp_path / "in", f"BraTS2021_{number:05d}")
    ended = bratsseg("describe-data", tmp_path / "in", "--out", tmp_path / "out")
    assert ended.code == 0, ended
    assert "tumour in 2 of 2 (100.0 %) cases, 8 of 32 (25.0 %) slices" in ended.out
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("<svg") == 6  # three regions, slices, two modalities
    assert "http" not in page.replace("http-equiv", "")
    with (tmp_path / "out" / "cases.csv").open() as stream:
        assert [row["WT_ml"] for row in csv.DictReader(stream)] == ["0.128", "0.128"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["sizes"]["unit"] == "mL"


def test_a_bad_case_comes_first_and_the_exit_code_says_so(tmp_path):
    study(tmp_path / "in", "BraTS2021_00000")
    study(tmp_path / "in", "BraTS2021_00001")
    nib.save(
        nib.Nifti1Image(np.ones((4, 4, 4), dtype=np.uint8), np.eye(4)),
        tmp_path / "in" / "BraTS2021_00001" / "BraTS2021_00001_seg.nii.gz",
    )
    ended = bratsseg("describe-data", tmp_path / "in", "--out", tmp_path / "out")
    assert ended.code == 1
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.index("Cannot be used: 1 case") < page.index("BraTS2021_00001") < page.index("BraTS2021_00000")


def test_pictures_are_told_in_voxels_and_names_are_escaped():
    scan = ScanFacts((256, 256, 30), None, None, "uint8", dict.fromkeys(QUANTILES, 40.0))
    reference = ReferenceFacts("x", {1: 500}, 30, 65536, None, {Region.WT: 500}, (200, 300))
    facts = DatasetFacts((CaseDescription("<script>alert(1)</script>", "lgg", {Modality.FLAIR: scan}, reference),))
    page = dataset_page(facts, "kaggle_3m")
    assert "<script" not in page
    assert "mL" not in page.partition("<h2>Tumour sizes")[2].partition("<figure>")[2].partition("</figure>")[0]
    assert "500 voxels" in page
    assert "2 slices that hold any" in page


def test_an_empty_folder_is_wrong_use(tmp_path):
    (tmp_path / "in").mkdir()
    assert bratsseg("describe-data", tmp_path / "in", "--out", tmp_path / "out").code == 2
    assert not (tmp_path / "out").exists()
