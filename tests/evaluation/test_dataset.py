"""The analysis of a data set counts what is there, names what is wrong, and guesses nothing."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.errors import DialectError
from bratsseg.evaluation.dataset import intensity_quantiles
from bratsseg.evaluation.dataset_summary import describe_cases, rows, summary
from bratsseg.study.dialect import get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.layout import find_cases
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume

SHAPE, SPACING = (20, 24, 16), np.diag([1.0, 1.0, 2.0, 1.0])
VOXEL_ML = 0.002


def study(folder: Path, name: str, *, tumour: bool = True, suffixes=("flair", "t1ce"), affine=SPACING) -> Path:
    """Scans that are bright in a box, and a reference of 2 x 2 x 2 enhancing in 4 x 4 x 4 edema."""
    place = folder / name
    place.mkdir(parents=True)
    for number, suffix in enumerate(suffixes, start=1):
        voxels = np.zeros(SHAPE, dtype=np.int16)
        voxels[2:18, 2:22, 2:14] = 100 * number
        voxels[12:16, 2:18, 2] += np.arange(64).reshape(4, 16)  # a scan has many intensities
        voxels[4:8, 4:8, 4:8] = 150 * number
        nib.save(nib.Nifti1Image(voxels, affine), place / f"{name}_{suffix}.nii.gz")
    labels = np.zeros(SHAPE, dtype=np.uint8)
    if tumour:
        labels[4:8, 4:8, 4:8], labels[5:7, 5:7, 5:7] = 2, 4
    nib.save(nib.Nifti1Image(labels, SPACING), place / f"{name}_seg.nii.gz")
    return folder


def described(folder: Path, dialect: str | None = None):
    cases = find_cases(folder)
    return describe_cases(folder, cases, dialect, cases)


def test_grids_regions_and_shares_are_counted(tmp_path):
    for number in range(3):
        study(tmp_path, f"BraTS2021_{number:05d}", tumour=number > 0)
    facts = described(tmp_path)
    found = summary(facts)
    assert (found["cases"], found["unusable"]) == (3, 0)
    assert found["shapes"] == {"20 x 24 x 16": 3}
    assert found["spacings_mm"] == {"1 x 1 x 2": 3}
    assert found["orientations"] == {"RAS": 3}
    assert found["modalities"] == {"FLAIR+T1ce": 3}
    told = found["references"]
    assert told["dialects"] == {"brats2021": 3}
    assert told["cases_with_value"] == {"2": 2, "4": 2}
    assert (told["with_tumour"], told["without_tumour"]) == (2, 1)
    assert (told["slices_with_tumour"], told["slices"]) == (8, 48)
    assert facts.volumes(Region.WT) == pytest.approx([64 * VOXEL_ML] * 2)
    assert facts.volumes(Region.ET) == pytest.approx([8 * VOXEL_ML] * 2)
    assert found["intensities"]["t1c"]["p50"] == {"smallest": 200, "median": 200, "mean": 200, "largest": 200}


def test_an_unusable_case_is_listed_first_and_stops_no_other(tmp_path):
    for number in range(3):
        study(tmp_path, f"BraTS2021_{number:05d}")
    path = tmp_path / "BraTS2021_00002" / "BraTS2021_00002_t1ce.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])
    shifted = SPACING + np.diag([0, 0, 1.0, 0])
    study(tmp_path, "BraTS2021_00003", affine=shifted)
    facts = described(tmp_path)
    assert [case.case for case in facts.unusable] == ["BraTS2021_00002", "BraTS2021_00003"]
    assert [facts.cases[0].problems[0].code, facts.cases[1].problems[0].code] == ["unreadable", "grids_differ"]
    table = list(rows(facts))
    assert [row["usable"] for row in table] == [False, False, True, True]
    assert "truncated" in table[0]["problems"]
    assert {frozenset(row) for row in table} == {frozenset(table[0])}


def test_without_a_dialect_values_are_counted_not_regions(tmp_path):
    study(tmp_path, "P1")
    facts = described(tmp_path)
    told = summary(facts)["references"]
    assert told["cases_with_value"] == {"2": 1, "4": 1}
    assert (told["regions_known"], facts.cases[0].tumour) == (0, None)
    assert any("--dialect" in remark for remark in facts.remarks)
    assert described(tmp_path, "brats2021").cases[0].tumour is True
    with pytest.raises(DialectError):
        described(tmp_path, "brats1066")


def test_values_outside_the_dialect_are_that_cases_problem(tmp_path):
    study(tmp_path, "P1")
    facts = described(tmp_path, "msd")
    assert [(problem.code, problem.fatal) for problem in facts.cases[0].problems] == [("labels_invalid", True)]


def test_a_dialect_that_knows_no_core_tells_none(tmp_path):
    study(tmp_path, "P1")
    for path in tmp_path.rglob("*_seg.nii.gz"):
        values = np.asarray(nib.load(path).dataobj)
        nib.save(nib.Nifti1Image(np.minimum(values, 2).astype(np.uint8), SPACING), path)
    reference = described(tmp_path, "hd-glio").cases[0].reference
    assert Region.TC not in reference.regions
    assert set(reference.regions) == get_dialect("hd-glio").expresses


def test_air_is_left_out_of_the_intensities_whatever_its_value():
    for air in (0.0, -4.5):
        voxels = np.full(SHAPE, air, dtype=np.float32)
        voxels[3:17, 3:21, 3:13] = 7.0
        found = intensity_quantiles(Volume(voxels, Grid.of(SHAPE, SPACING)))
        assert set(found.values()) == {7.0}
    noise = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    assert intensity_quantiles(Volume(noise, Grid.of(SHAPE, SPACING)))["p50"] == pytest.approx(0, abs=0.1)
    assert intensity_quantiles(Volume(np.zeros(SHAPE, np.int16), Grid.of(SHAPE, SPACING))) == {}
