"""What ``bratsseg verify`` finds in a folder of results that somebody or something touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.flows.conftest import bratsseg, case_names, segment, write_cases

FIRST, SECOND, THIRD = case_names(3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("verify")
    write_cases(place / "in", 3)
    assert segment(place / "in", place / "out", "--report").code == 0
    return place


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


def found(out: Path, *words: object) -> tuple[int, dict[str, Any]]:
    ended = bratsseg("verify", out, "--json", *words)
    return ended.code, json.loads(ended.out)


def test_what_is_as_written_is_said_to_be_so(out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert found(out) == (0, {"schema": 1, "whole": 3, "findings": [], "recomputed": []})
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize("place", [-6, -100], ids=["of the checksum", "of the voxels"])
def test_one_bit_that_flipped_is_damage(out: Path, place: int) -> None:
    file = out / FIRST / f"{FIRST}_seg.nii.gz"
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))
    code, told = found(out)
    assert (code, told["whole"]) == (1, 2)
    assert [(f["file"], f["fault"]) for f in told["findings"]] == [(f"{FIRST}/{FIRST}_seg.nii.gz", "damaged")]


def test_a_map_that_a_person_saved_is_edited_and_no_fault(out: Path) -> None:
    file = out / FIRST / f"{FIRST}_seg.nii.gz"
    image = nib.load(file)
    drawn = np.asarray(image.dataobj).copy()
    drawn[:4, :4, :4] = 2
    nib.save(nib.Nifti1Image(drawn, image.affine, image.header), file)
    code, told = found(out)
    assert code == 0
    assert [(f["fault"], f["file"]) for f in told["findings"]] == [("edited", f"{FIRST}/{FIRST}_seg.nii.gz")]


def test_copies_that_were_cut_short_are_told(out: Path) -> None:
    (out / FIRST / f"{FIRST}.json").unlink()
    (out / SECOND / f"{SECOND}_seg.nii.gz").unlink()
    record = out / THIRD / f"{THIRD}.json"
    record.write_bytes(record.read_bytes()[:100])
    code, told = found(out)
    kinds = {(f["file"].partition("/")[0], f["fault"]) for f in told["findings"]}
    assert (code, told["whole"]) == (1, 0)
    assert kinds == {(FIRST, "no record"), (SECOND, "missing"), (THIRD, "no record")}


def test_a_sample_computed_again_is_the_same_to_the_byte(made: Path, out: Path) -> None:
    code, told = found(out, "--recompute", 2, "--scans", made / "in", "--device", "cpu")
    assert code == 0
    assert [case["words"] for case in told["recomputed"]] == ["the same to the byte"] * 2
    assert {case["case"] for case in told["recomputed"]} < set(case_names(3))


def test_scans_that_were_exchanged_come_out_otherwise(made: Path, out: Path, tmp_path: Path) -> None:
    scans = Path(shutil.copytree(made / "in", tmp_path / "in"))
    for path in (scans / FIRST).iterdir():
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine, image.header), path)
    code, told = found(out, "--recompute", 3, "--scans", scans, "--device", "cpu")
    assert code == 1
    assert [case["same"] for case in told["recomputed"]] == [False, True, True]
    assert "voxels differ" in told["recomputed"][0]["words"]


def test_to_compute_again_takes_the_scans(out: Path) -> None:
    assert bratsseg("verify", out, "--recompute", 1).code == 2
    assert bratsseg("verify", out / "none").code == 2
