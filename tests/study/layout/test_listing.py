"""Which files below a folder count at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bratsseg.study.case import VolumeSource
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_volume
from bratsseg.study.writing import write_label_map
from tests.study.scans import only, put, put_json


def test_hidden_and_foreign_files_are_ignored(tmp_path: Path) -> None:
    put(tmp_path / "pat", "flair.nii.gz", "._t1.nii.gz", ".cache/t1.nii.gz", "__MACOSX/t1.nii.gz", "Thumbnails/t1.nii")
    (tmp_path / "pat" / "t2.png").write_bytes(b"")
    assert set(only(tmp_path).sources) == {Modality.FLAIR}


def test_our_own_results_are_neither_references_nor_scans(tmp_path: Path) -> None:
    root = put(tmp_path / "in", "pat1/pat1_flair.nii.gz", "pat2/flair.nii.gz")
    like = read_volume(VolumeSource(root / "pat1" / "pat1_flair.nii.gz"), "x")
    write_label_map(root / "pat1" / "pat1_seg.nii.gz", np.ones(like.grid.shape, np.uint8), like, "bratsseg 0.1.0")
    put(root, "pat2/pat2_seg.nii.gz")
    put_json(root / "pat2" / "pat2.json", {"bratsseg": {"schema": 1}, "outputs": {"pat2_seg.nii.gz": "sha"}})
    (root / "out").mkdir()
    write_label_map(root / "out" / "pat1_seg.nii.gz", np.ones(like.grid.shape, np.uint8), like, "bratsseg 0.1.0")
    cases = find_cases(root)
    assert [(case.id, case.reference, len(case.sources)) for case in cases] == [("pat1", None, 1), ("pat2", None, 1)]


def test_a_foreign_label_map_beside_a_json_stays_a_reference(tmp_path: Path) -> None:
    put(tmp_path, "pat1/flair.nii.gz", "pat1/pat1_seg.nii.gz", "pat1/pat1.json")
    assert only(tmp_path).reference is not None


def test_one_unreadable_folder_does_not_stop_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "pat1/flair.nii.gz", "locked/flair.nii.gz", "pat2/flair.nii.gz")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    cases = find_cases(tmp_path)
    assert [(case.id, bool(case.sources)) for case in cases] == [("locked", False), ("pat1", True), ("pat2", True)]
    assert [problem.code for problem in cases[0].problems] == ["unreadable"]


def test_a_link_back_up_does_not_loop(tmp_path: Path) -> None:
    put(tmp_path, "pat1/flair.nii.gz")
    (tmp_path / "pat1" / "up").symlink_to(tmp_path)
    assert [case.id for case in find_cases(tmp_path)] == ["pat1"]
