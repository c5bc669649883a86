from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.errors import GridMismatch, WriteError
from bratsseg.files import write_json, write_text
from bratsseg.study.case import VolumeSource
from bratsseg.study.grid import Grid
from bratsseg.study.layout import find_cases
from bratsseg.study.reading import GeometryPolicy, read_volume
from bratsseg.study.volume import Volume
from bratsseg.study.writing import write_label_map, write_probability
from tests.study.scans import LPS, SHAPE, image, oblique, put, save
from tests.study.test_reading import ODD, SHEARED, SHIFTED

ACCEPTING = GeometryPolicy(on_disagreement="sform", without_codes="accept", shear="accept")
LABELS = (np.arange(np.prod(SHAPE)) % 5).astype(np.uint8).reshape(SHAPE)
ODDER = ODD | {
    "neither form": {"sform": None, "qform": None},
    "q and s differ": {"sform": SHIFTED},
    "sheared": {"sform": SHEARED, "qform": None},
    "micron": {"unit": "micron"},
    "meter": {"unit": "meter"},
}


def source(path: Path, **odd: object) -> Volume:
    return read_volume(VolumeSource(save(path, image(**odd))), "x", ACCEPTING)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("odd", ODDER)
def test_a_label_map_lies_exactly_where_its_scan_does(tmp_path: Path, odd: str, suffix: str) -> None:
    scan = source(tmp_path / "scan.nii.gz", **ODDER[odd])
    write_label_map(tmp_path / f"seg{suffix}", LABELS, scan, "bratsseg 0.1.0")
    ours, theirs = nib.load(tmp_path / f"seg{suffix}"), nib.load(tmp_path / "scan.nii.gz")
    assert np.array_equal(np.asarray(ours.dataobj), LABELS)
    assert ours.get_data_dtype() == np.uint8
    assert ours.shape == SHAPE
    for field in ("qform_code", "sform_code", "xyzt_units"):
        assert ours.header[field] == theirs.header[field], field
    assert np.array_equal(ours.affine, theirs.affine)
    assert np.array_equal(ours.header.get_sform(), theirs.header.get_sform())
    assert np.array_equal(ours.header.get_qform(), theirs.header.get_qform())
    again = read_volume(VolumeSource(tmp_path / f"seg{suffix}"), "x", ACCEPTING)
    assert np.array_equal(again.grid.affine, scan.grid.affine)


def test_a_probability_comes_back_to_half_a_step(tmp_path: Path) -> None:
    scan = source(tmp_path / "scan.nii.gz", slope=3.0, intercept=7.0, voxels=LABELS)
    probability = np.linspace(0, 1, LABELS.size, dtype=np.float32).reshape(SHAPE)
    write_probability(tmp_path / "p.nii.gz", probability, scan)
    back = nib.load(tmp_path / "p.nii.gz")
    assert back.get_data_dtype() == np.uint8
    assert np.abs(back.get_fdata() - probability).max() <= 0.5 / 255 + 1e-6
    assert (back.get_fdata().min(), back.get_fdata().max()) == (0, pytest.approx(1))


def test_a_scan_that_is_no_nifti_gives_its_grid_alone(tmp_path: Path) -> None:
    scan = Volume(LABELS, Grid.of(SHAPE, oblique()))
    write_label_map(tmp_path / "seg.nii.gz", LABELS, scan, "bratsseg")
    back = nib.load(tmp_path / "seg.nii.gz")
    assert np.allclose(back.affine, oblique(), atol=1e-5)
    assert (int(back.header["sform_code"]), back.header.get_xyzt_units()[0]) == (1, "mm")
    assert read_volume(VolumeSource(tmp_path / "seg.nii.gz"), "x").grid.same_as(scan.grid)


def test_nothing_that_may_name_the_patient_is_carried_over(tmp_path: Path) -> None:
    made = image()
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        made.header[field] = b"Miller, Eva"
    made.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Miller, Eva"))
    made.header["cal_max"] = 500
    scan = read_volume(VolumeSource(save(tmp_path / "scan.nii", made)), "x")
    write_label_map(tmp_path / "seg.nii", LABELS, scan, "bratsseg 0.1.0")
    assert b"Miller" not in (tmp_path / "seg.nii").read_bytes()
    header = nib.load(tmp_path / "seg.nii").header
    assert (header["descrip"].item(), float(header["cal_max"])) == (b"bratsseg 0.1.0", 0.0)


def test_equal_input_gives_equal_bytes_at_another_time_and_name(tmp_path: Path) -> None:
    scan = source(tmp_path / "scan.nii.gz")
    write_label_map(tmp_path / "a.nii.gz", LABELS, scan, "bratsseg")
    time.sleep(1.1)  # a gzip stamp counts seconds
    write_label_map(tmp_path / "b.nii.gz", LABELS, scan, "bratsseg")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes())[352:] == LABELS.tobytes(order="F")


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GridMismatch, match=r"seg\.nii"):
        write_label_map(tmp_path / "seg.nii", LABELS[1:], source(tmp_path / "scan.nii"), "bratsseg")
    assert not (tmp_path / "seg.nii").exists()


@pytest.mark.parametrize("stage", ["write", "fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_only_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, failure: BaseException
) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"old": 1})

    def fail(*_: object, **__: object) -> None:
        raise failure

    if stage == "write":
        monkeypatch.setattr(Path, "write_bytes", fail)
    else:
        monkeypatch.setattr(*((os, "fsync", fail) if stage == "fsync" else (Path, "replace", fail)))
    with pytest.raises(WriteError if isinstance(failure, OSError) else KeyboardInterrupt):
        write_json(path, {"new": 2})
    assert [item.name for item in tmp_path.iterdir()] == ["record.json"]
    assert json.loads(path.read_text()) == {"old": 1}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("full disk: mounting a small tmpfs is not allowed here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_an_error_and_leaves_nothing(tiny_disk: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 60)).astype(np.uint8)
    scan = Volume(noise, Grid.of(noise.shape, LPS))
    with pytest.raises(WriteError, match="No space left"):
        write_label_map(tiny_disk / "seg.nii.gz", noise, scan, "bratsseg")
    assert list(tiny_disk.iterdir()) == []


def test_a_missing_folder_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="gone"):
        write_text(tmp_path / "gone" / "a.txt", "x")


def test_json_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="JSON"):
        write_json(tmp_path / "a.json", {"dice": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_text_is_utf8_and_the_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Müller\n")
    assert (tmp_path / "a.txt").read_bytes() == "Müller\n".encode()
    (tmp_path / "b.txt").write_text("")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_what_a_killed_write_leaves_is_no_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "pat", "flair.nii.gz")
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(5, "killed")))
    with pytest.raises(WriteError):
        write_label_map(tmp_path / "pat" / "t1ce.nii.gz", LABELS, source(tmp_path / "x" / "flair.nii.gz"), "bratsseg")
    assert [len(case.sources) for case in find_cases(tmp_path / "pat")] == [1]
    assert len(list((tmp_path / "pat").iterdir())) == 2
