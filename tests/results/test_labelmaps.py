"""Every label map of a folder is found, or named as left out: no name silences the others."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bratsseg.errors import UsageError
from bratsseg.evaluation import evaluate_folders
from bratsseg.results.labelmaps import find_label_maps, find_references
from bratsseg.study.account import FileKind
from tests.flows.conftest import bratsseg, case_names, segment, write_cases

SHAPE = (6, 5, 4)


def save(path: Path, kind: str = "labels") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(SHAPE, dtype=np.int16)
    values[1:4, 1:3, 1:3] = 1
    if kind == "scan":
        values = np.arange(values.size, dtype=np.int16).reshape(SHAPE)
    nib.Nifti1Image(values, np.eye(4)).to_filename(path)
    return path


def mixed(folder: Path) -> Path:
    """Five label maps whose names say nothing and one, in a folder of its own, whose name says what it is."""
    for number in range(1, 6):
        save(folder / f"P0{number}.nii.gz")
    save(folder / "corrected" / "P06_seg.nii.gz")
    return folder


def test_a_name_that_says_label_map_silences_no_other(tmp_path: Path) -> None:
    ours, theirs = mixed(tmp_path / "ours"), mixed(tmp_path / "theirs")
    found = evaluate_folders(ours, theirs, "brats2023", "brats2023")
    assert list(found.scores) == [f"P0{number}" for number in range(1, 7)]
    assert found.complete
    assert [(account.seen, account.used) for _, account in found.accounts] == [(6, 6), (6, 6)]


def test_one_side_flat_and_the_other_mixed_pair_by_file_name(tmp_path: Path) -> None:
    ours, theirs = mixed(tmp_path / "ours"), tmp_path / "theirs"
    for number in range(1, 7):
        save(theirs / f"P0{number}.nii.gz")
    assert len(evaluate_folders(ours, theirs, "brats2023", "brats2023").scores) == 6
    assert len(evaluate_folders(theirs, ours, "brats2023", "brats2023").scores) == 6


def test_what_is_left_out_is_named_and_the_exit_says_so(tmp_path: Path) -> None:
    ours, theirs = mixed(tmp_path / "ours"), mixed(tmp_path / "theirs")
    save(ours / "mask.nii.gz")
    save(ours / "P01_flair.nii.gz", "scan")
    save(ours / "P02_prob_WT.nii.gz", "scan")
    save(ours / "atlas.nii.gz", "scan")
    found = find_label_maps(ours)
    left = {item.file: item.kind for item in found.account.left_out}
    assert left == {
        "mask.nii.gz": FileKind.LABEL_MAP,
        "P01_flair.nii.gz": FileKind.SCAN,
        "P02_prob_WT.nii.gz": FileKind.OTHER,
        "atlas.nii.gz": FileKind.SCAN,
    }
    assert not evaluate_folders(ours, theirs, "brats2023", "brats2023").complete
    ended = bratsseg("convert", ours, tmp_path / "out", "--from", "brats2023", "--to", "msd")
    assert ended.code == 1
    assert "10 image files seen, 6 used, 4 left out" in ended.out
    assert "mask.nii.gz" in ended.out
    (ours / "mask.nii.gz").unlink()
    assert bratsseg("convert", ours, tmp_path / "out2", "--from", "brats2023", "--to", "msd").code == 0


def test_two_that_claim_a_case_are_both_named(tmp_path: Path) -> None:
    ours, theirs = mixed(tmp_path / "ours"), mixed(tmp_path / "theirs")
    save(ours / "again" / "P01_seg.nii.gz")
    found = evaluate_folders(ours, theirs, "brats2023", "brats2023")
    assert [(item.case, item.code) for item in found.unscored] == [("P01", "labels_ambiguous")]
    assert "P01.nii.gz" in found.unscored[0].reason
    assert "again/P01_seg.nii.gz" in found.unscored[0].reason
    assert not found.complete


def test_results_of_ours_beside_label_maps_of_others(tmp_path: Path) -> None:
    write_cases(tmp_path / "in", 2)
    segment(tmp_path / "in", tmp_path / "out")
    save(tmp_path / "out" / "by-others" / "P09_seg.nii.gz")
    found = find_label_maps(tmp_path / "out")
    assert [item.case for item in found.files] == [*case_names(2), "P09"]
    assert [item.ours for item in found.files] == [True, True, False]


def test_ours_are_known_by_their_mark_away_from_their_records(tmp_path: Path) -> None:
    write_cases(tmp_path / "in", 2)
    segment(tmp_path / "in", tmp_path / "out", "--dialect", "msd")
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in case_names(2):
        (tmp_path / "out" / name / f"{name}_seg.nii.gz").rename(flat / f"copy-{name}_seg.nii.gz")
    assert {item.dialect for item in find_label_maps(flat).files} == {"msd"}
    with pytest.raises(UsageError, match="bratsseg count as predictions only"):
        find_references(flat)


NAMES = st.lists(
    st.tuples(
        st.sampled_from(["", "a/", "b/c/"]),
        st.sampled_from(["P1", "P2", "BraTS2021_00001", "x", "T2-7"]),
        st.sampled_from(["", "_seg", "-seg", "_mask", "_flair", "_t1ce", "_pred", "_prob_WT", "_brainmask", "_7"]),
        st.sampled_from(["labels", "scan"]),
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda name: name[:3],
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(NAMES, NAMES)
def test_seen_is_used_and_left_out_for_any_mix_of_names(ours: list, theirs: list) -> None:
    with tempfile.TemporaryDirectory() as place:
        sides = []
        for side, names, find in (("ours", ours, find_label_maps), ("theirs", theirs, find_references)):
            folder = Path(place, side)
            written = {save(folder / f"{where}{stem}{end}.nii.gz", kind) for where, stem, end, kind in names}
            try:
                found = find(folder)
            except UsageError:  # nothing there is a label map
                continue
            used = {item.path for item in found.files}
            left = {folder / item.file for item in found.account.left_out}
            assert used | left == written
            assert not used & left
            assert (found.account.seen, found.account.used) == (len(written), len(used))
            sides.append(folder)
        if len(sides) == 2:
            _every_case_is_told(*sides)


def _every_case_is_told(ours: Path, theirs: Path) -> None:
    """Each label map found is scored or unscored by name."""
    try:
        found = evaluate_folders(ours, theirs, "brats2023", "brats2023")
    except UsageError:
        return
    cases = {item.case for folder in (find_label_maps(ours), find_references(theirs)) for item in folder.files}
    assert cases == found.scores.keys() | {item.case for item in found.unscored}


@pytest.mark.real
def test_the_mixed_folder_that_lost_five_of_six(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "faults" / "mixed-names"
    if not folder.is_dir():
        pytest.skip("real scans: no folder faults beside the project")
    dialect = ("--predicted-dialect", "brats2023", "--reference-dialect", "brats2023")
    ended = bratsseg("evaluate", folder / "pred", folder / "ref", "--out", tmp_path / "scores", *dialect)
    assert ended.code == 0, ended.err
    with (tmp_path / "scores" / "scores.csv").open(newline="") as stream:
        assert len({row["case"] for row in csv.DictReader(stream)}) == 6
