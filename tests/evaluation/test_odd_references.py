"""References as other programs save them: cropped, in layers, a class in each volume."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.evaluation import evaluate_folders
from bratsseg.exchange.slicer import segmentation
from bratsseg.study.grid import Grid
from bratsseg.study.reading import read_reference
from tests.evaluation.test_folders import AFFINE, SHAPE, dices, labels, save

CASE = "BraTS-GLI-00000-000"
BOX = (slice(1, 10), slice(2, 9), slice(1, 7))


def cropped(box: tuple[slice, slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """The labels inside a box, and the affine of its first voxel."""
    affine = AFFINE.copy()
    affine[:, 3] = AFFINE @ (*(part.start for part in box), 1)
    return labels()[box].astype(np.uint8), affine


def save_slicer(path: Path, box: tuple[slice, slice, slice]) -> Path:
    values, affine = cropped(box)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(segmentation(values, Grid.of(values.shape, affine), []))
    return path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    save(tmp_path / "whole" / f"{CASE}-seg.nii.gz", labels())
    return tmp_path / "whole"


def test_what_slicer_cropped_is_compared_where_it_lies(tmp_path: Path, whole: Path) -> None:
    pytest.importorskip("itk")
    save_slicer(tmp_path / "slicer" / f"{CASE}-seg.seg.nrrd", BOX)
    flags = {"predicted_dialect": "brats2023", "reference_dialect": "brats2023"}
    for ours, theirs in ((whole, tmp_path / "slicer"), (tmp_path / "slicer", whole)):
        assert dices(evaluate_folders(ours, theirs, **flags)) == {CASE: (1.0, 1.0, 1.0)}


def test_padding_puts_every_voxel_where_it_was(tmp_path: Path) -> None:
    pytest.importorskip("itk")
    path = save_slicer(tmp_path / "a.seg.nrrd", BOX)
    grid = Grid.of(SHAPE, AFFINE)
    padded = read_reference(path, "a", onto=grid)
    assert padded.grid is grid
    assert np.array_equal(padded.voxels, labels())
    elsewhere = Grid.of(SHAPE, AFFINE + np.array([[0, 0, 0, 0.5]] + [[0] * 4] * 3))
    assert read_reference(path, "a", onto=elsewhere).grid.shape == (9, 7, 6)


def test_a_crop_of_another_program_is_told_to_be_padded(tmp_path: Path, whole: Path) -> None:
    values, affine = cropped(BOX)
    save(tmp_path / "crop" / f"{CASE}-seg.nii.gz", values, affine)
    (refused,) = evaluate_folders(whole, tmp_path / "crop").unscored
    assert "reference is 9 x 7 x 6 and not 12 x 10 x 8 voxels" in refused.reason
    assert "pad it with 0, its first voxel is (1, 2, 1)" in refused.reason
    assert "inf" not in refused.reason
    (refused,) = evaluate_folders(tmp_path / "crop", whole).unscored
    assert "the prediction was cropped" in refused.reason


def test_two_crops_and_two_places_say_what_to_do(tmp_path: Path) -> None:
    for name, box in (("a", BOX), ("b", (slice(0, 8), slice(3, 10), slice(0, 6)))):
        save(tmp_path / name / f"{CASE}-seg.nii.gz", *cropped(box))
    (refused,) = evaluate_folders(tmp_path / "a", tmp_path / "b").unscored
    assert "both were cropped" in refused.reason
    moved = AFFINE + np.array([[0, 0, 0, 2.5]] + [[0] * 4] * 3)
    save(tmp_path / "c" / f"{CASE}-seg.nii.gz", cropped(BOX)[0], moved)
    (refused,) = evaluate_folders(tmp_path / "a", tmp_path / "c").unscored
    assert "mm apart; resample the prediction" in refused.reason


def test_layers_of_segments_are_no_colours(tmp_path: Path, whole: Path) -> None:
    pytest.importorskip("itk")
    header = segmentation(labels().astype(np.uint8), Grid.of(SHAPE, AFFINE), []).split(b"\n\n")[0].decode()
    header = header.replace("dimension: 3", "dimension: 4").replace("sizes: ", "sizes: 2 ")
    header = header.replace("space directions: ", "space directions: none ").replace("kinds: ", "kinds: list ")
    header = header.replace("encoding: gzip", "encoding: raw")
    path = tmp_path / "layers" / f"{CASE}-seg.seg.nrrd"
    path.parent.mkdir()
    path.write_bytes(f"{header}\n\n".encode() + bytes(2 * int(np.prod(SHAPE))))
    flags = {"predicted_dialect": "brats2023", "reference_dialect": "brats2023"}
    (refused,) = evaluate_folders(whole, tmp_path / "layers", **flags).unscored
    assert "must be one layer" in refused.reason
    assert "2, as 3D Slicer stores segments that overlap" in refused.reason
    assert "colour" not in refused.reason


def test_a_class_in_each_volume_is_told_to_become_values(tmp_path: Path, whole: Path) -> None:
    classes = np.stack([labels() == value for value in range(4)], axis=-1).astype(np.uint8)
    path = tmp_path / "onehot" / f"{CASE}-seg.nii.gz"
    path.parent.mkdir()
    nib.save(nib.Nifti1Image(classes, AFFINE), path)
    flags = {"predicted_dialect": "brats2023", "reference_dialect": "brats2023"}
    (refused,) = evaluate_folders(whole, tmp_path / "onehot", **flags).unscored
    assert "4 volumes in 4-D" in refused.reason
    assert "--layout" not in refused.reason
