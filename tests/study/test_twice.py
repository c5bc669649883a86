"""One scan given as two modalities is told with the same words, whichever way it came in."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from bratsseg.batch.by_hand import case_by_hand
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.checks import check_case, inspect
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from tests.study.scans import image, save

FLAIR, T1N, T1C, T2W = Modality


def scan(path: Path, seed: int) -> Path:
    return save(path, image(np.random.default_rng(seed).integers(0, 900, (20, 20, 20)).astype(np.int16)))


def warnings(case: Case) -> list[str]:
    """What check says by names and headers, and what segment says by voxels: of two modalities, no other notes."""
    by_file = [p.message for p in check_case(case).problems if "same voxels" in p.message]
    by_voxel = [p.message for p in inspect(read_study(case)) if "same voxels" in p.message]
    assert by_file == by_voxel
    assert not any(p.fatal for p in check_case(case).problems if "same voxels" in p.message)
    return by_file


def test_every_way_in_tells_it_alike(tmp_path: Path) -> None:
    flair, t1 = scan(tmp_path / "in" / "flair.nii.gz", 1), scan(tmp_path / "in" / "t1.nii.gz", 2)
    t1ce = tmp_path / "in" / "t1ce.nii.gz"
    t1ce.write_bytes(t1.read_bytes())
    table = tmp_path / "layout.csv"
    table.write_text("case,flair,t1,t1ce\nanna,flair.nii.gz,t1.nii.gz,t1ce.nii.gz\n", encoding="utf-8")
    by_name, by_layout = find_cases(tmp_path / "in"), find_cases(tmp_path / "in", table)
    by_hand, _ = case_by_hand({FLAIR: flair, T1N: t1, T1C: t1ce})
    told = {text for case in (*by_name, *by_layout, by_hand) for text in warnings(case)}
    (text,) = told
    assert text.startswith("T1 and T1ce hold the same voxels (t1.nii.gz, t1ce.nii.gz)")


def test_one_file_twice_and_one_packed_again_are_the_same_scan(tmp_path: Path) -> None:
    flair = scan(tmp_path / "flair.nii.gz", 1)
    again = tmp_path / "t2.nii.gz"
    again.write_bytes(gzip.compress(gzip.decompress(flair.read_bytes()), 1))
    for other in (flair, again):
        case, _ = case_by_hand({FLAIR: flair, T2W: other})
        (text,) = warnings(case)
        assert text.startswith("FLAIR and T2 hold the same voxels")


def test_three_at_once_are_one_warning(tmp_path: Path) -> None:
    one = VolumeSource(scan(tmp_path / "x.nii.gz", 1))
    (text,) = warnings(Case("x", {FLAIR: one, T1N: one, T1C: one}))
    assert text.startswith("FLAIR and T1 and T1ce hold the same voxels (x.nii.gz)")


def test_equal_voxels_under_another_header_show_when_read(tmp_path: Path) -> None:
    voxels = np.random.default_rng(3).integers(0, 900, (20, 20, 20)).astype(np.int16)
    one, other = save(tmp_path / "t1.nii.gz", image(voxels)), image(voxels)
    other.header["descrip"] = b"another"
    sources = {T1N: VolumeSource(one), T1C: VolumeSource(save(tmp_path / "t1ce.nii.gz", other))}
    assert [p.code for p in inspect(read_study(Case("x", sources)))] == ["modality_ambiguous"]


def test_scans_that_differ_in_one_voxel_are_two(tmp_path: Path) -> None:
    voxels = np.random.default_rng(3).integers(0, 900, (20, 20, 20)).astype(np.int16)
    one = save(tmp_path / "t1.nii", image(voxels))
    voxels[7, 9, 11] += 1
    sources = {T1N: VolumeSource(one), T1C: VolumeSource(save(tmp_path / "t1ce.nii", image(voxels)))}
    assert warnings(Case("x", sources)) == []


def test_a_damaged_copy_is_told_by_its_reader_alone(tmp_path: Path) -> None:
    whole = scan(tmp_path / "t1.nii.gz", 1)
    for name, content in (("t1ce.nii.gz", b"\x1f\x8b"), ("t2.nii.gz", b"")):
        (tmp_path / name).write_bytes(content)
    sources = {
        T1N: VolumeSource(whole),
        T1C: VolumeSource(tmp_path / "t1ce.nii.gz"),
        T2W: VolumeSource(tmp_path / "t2.nii.gz"),
    }
    assert {p.code for p in check_case(Case("x", sources)).problems} == {"unreadable"}
