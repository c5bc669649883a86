"""Label maps without scans and records: called as the cases they are of, where folders are patients and visits."""

from __future__ import annotations

from pathlib import Path

from bratsseg.results.labelmaps import find_label_maps, find_references
from tests.study.scans import put

TREE = ("P1/2019-01-11/seg.nii.gz", "P1/2020-01-11_seg.nii.gz", "P2/2019-01-11/seg.nii.gz")


def test_a_tree_of_patients_and_visits_gives_the_case_ids(tmp_path: Path) -> None:
    put(tmp_path / "truth", *TREE)
    wanted = ["P1__2019-01-11", "P1__2020-01-11", "P2__2019-01-11"]
    assert sorted(item.case for item in find_references(tmp_path / "truth").files) == wanted
    assert sorted(item.case for item in find_references(tmp_path / "truth" / "P1").files) == wanted[:2]


def test_two_flat_folders_speak_of_the_same_visits(tmp_path: Path) -> None:
    for name in ("pred", "truth"):
        put(tmp_path / name, "2019-01-11_seg.nii.gz", "2020-01-11_seg.nii.gz")
    sides = (find_label_maps(tmp_path / "pred"), find_references(tmp_path / "truth"))
    assert [[item.case for item in side.files] for side in sides] == [["2019-01-11", "2020-01-11"]] * 2
