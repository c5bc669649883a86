"""Scans whose voxels lie beside their header: a result is kept only while both files are what they were."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.flows.conftest import record, segment, write_case


def _as_pair(file: Path) -> tuple[Path, Path]:
    image = nib.load(file)
    pair = nib.Nifti1Pair(np.asarray(image.dataobj), None, image.header)
    nib.save(pair, file.with_name("P1_flair.hdr"))
    file.unlink()
    return file.with_name("P1_flair.hdr"), file.with_name("P1_flair.img")


def _as_metaimage(file: Path) -> tuple[Path, Path]:
    itk = pytest.importorskip("itk")
    header = file.with_name("P1_flair.mhd")
    itk.imwrite(itk.imread(str(file)), str(header))
    file.unlink()
    return header, header.with_suffix(".raw")


@pytest.mark.parametrize("make", [_as_pair, _as_metaimage], ids=["hdr and img", "mhd and raw"])
def test_voxels_changed_under_a_header_are_computed_again(
    tmp_path: Path, make: Callable[[Path], tuple[Path, Path]]
) -> None:
    case = write_case(tmp_path / "in", "P1")
    _, raw = make(case / "P1-t2f.nii.gz")
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    before = record(tmp_path / "out", "P1")
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    assert record(tmp_path / "out", "P1") == before
    voxels = np.fromfile(raw, dtype=np.int16)
    voxels[voxels == voxels.max()] = np.median(voxels[voxels > 0])
    voxels[voxels > np.percentile(voxels[voxels > 0], 90)] = 1
    state = raw.stat()
    voxels.tofile(raw)
    os.utime(raw, ns=(state.st_mtime_ns - 10**12, state.st_mtime_ns - 10**12))
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    after = record(tmp_path / "out", "P1")
    assert after["inputs"]["flair"]["sha256"] != before["inputs"]["flair"]["sha256"]
    assert after["volumes_ml"]["WT"] != before["volumes_ml"]["WT"]
