"""Scans whose intensities are not as numbers of 32 bits can hold them, or that hold more than one scan."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.flows.conftest import record, save, segment, write_case

FACTORS = {
    "nearly nothing": (1e-12, 0.0, "f4"),
    "nothing in 32 bits": (1e-300, 0.0, "f8"),
    "too large for 32 bits": (1e300, 0.0, "f8"),
    "square too large for 32 bits": (1e25, 0.0, "f4"),
    "tiny slope": (1e-30, 0.0, "i2"),
    "huge slope": (1e30, 0.0, "i2"),
    "huge intercept": (1.0, 1e30, "i2"),
    "intercept that takes the contrast": (1.0, 1e10, "i2"),
}


def _written(folder: Path, factor: float, intercept: float, kind: str) -> Path:
    case = write_case(folder, "P1")
    file = case / "P1-t2f.nii.gz"
    stored = nib.load(file)
    voxels, affine = np.asarray(stored.dataobj), stored.affine
    if kind != "i2":
        return save(file, (voxels * factor).astype(kind), affine)
    image = nib.Nifti1Image(voxels.astype(kind), affine)
    image.header.set_slope_inter(factor, intercept)
    nib.save(image, file)
    return file


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("wrong", FACTORS)
def test_a_scan_without_contrast_in_32_bits_is_refused(tmp_path: Path, wrong: str) -> None:
    _written(tmp_path / "in", *FACTORS[wrong])
    ended = segment(tmp_path / "in", tmp_path / "out")
    told = record(tmp_path / "out", "P1")
    assert (ended.code, told["status"], told["code"]) == (1, "refused", "content_invalid")
    assert "FLAIR" in told["reason"]
    assert "scaling" in told["reason"]


@pytest.mark.parametrize(("factor", "kind"), [(1e-4, "f4"), (1e6, "f4"), (1e6, "f8"), (0.01, "i2")])
def test_the_unit_of_a_scan_changes_no_volume(tmp_path: Path, factor: float, kind: str) -> None:
    write_case(tmp_path / "as_is", "P1")
    _written(tmp_path / "scaled", factor, 0.0, kind)
    volumes = []
    for name in ("as_is", "scaled"):
        assert segment(tmp_path / name, tmp_path / f"{name}_out").code == 0
        volumes.append(record(tmp_path / f"{name}_out", "P1")["volumes_ml"]["WT"])
    assert volumes[0] > 0
    assert volumes[1] == pytest.approx(volumes[0], rel=1e-3)


def test_a_slope_below_zero_is_told(tmp_path: Path) -> None:
    _written(tmp_path / "in", -1.0, 0.0, "i2")
    segment(tmp_path / "in", tmp_path / "out", "--force")
    assert any("slope is -1" in text for text in record(tmp_path / "out", "P1")["warnings"])


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_holds_its_scan_twice_is_told(tmp_path: Path, packed: bool) -> None:
    case = write_case(tmp_path / "in", "P1")
    file = case / "P1-t2f.nii.gz"
    if not packed:
        image = nib.load(file)
        voxels = np.asarray(image.dataobj)
        file.unlink()
        file = save(case / "P1-t2f.nii", voxels, image.affine)
    file.write_bytes(file.read_bytes() * 2)
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    assert any("follow the voxels" in text for text in record(tmp_path / "out", "P1")["warnings"])
