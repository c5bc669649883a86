"""Pictures as studies: read whole, with no size, and refused where they are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg.errors import ContentError, ReadError, UsageError
from bratsseg.study.brain import find_brain
from bratsseg.study.case import VolumeSource
from bratsseg.study.layout import find_cases
from bratsseg.study.reading import read_files, read_reference, read_study, read_volume
from tests.study.layout.test_lgg import CASE, only, write_lgg
from tests.study.layout.test_pairs import write_pair

ROWS, COLUMNS = 6, 8


def test_a_picture_has_no_size_and_is_taken_whole(tmp_path: Path) -> None:
    study = read_study(only(write_lgg(tmp_path / "kaggle_3m")))
    grid = study.require_one_grid()
    assert (grid.physical, grid.spacing, grid.voxel_ml) == (False, None, None)
    assert find_brain(study).mask.all()


def test_a_changed_slice_changes_the_hash_of_its_stack(tmp_path: Path) -> None:
    root = write_lgg(tmp_path / "kaggle_3m")
    (before,) = read_files(only(root)).states.values()
    Image.new("RGB", (COLUMNS, ROWS)).save(root / CASE / f"{CASE}_7.tif")
    (after,) = read_files(only(root)).states.values()
    assert before.sha256 is not None
    assert before.sha256 != after.sha256


def test_a_zip_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kaggle_3m.zip"
    path.write_bytes(b"no zip at all")
    with pytest.raises(UsageError, match="zip of pictures"):
        find_cases(path)


def test_a_jpeg_mask_is_read_as_it_was_before_the_blur(tmp_path: Path) -> None:
    truth = np.zeros((32, 32), dtype=np.uint8)
    truth[8:24, 8:24] = 255
    Image.fromarray(truth).save(tmp_path / "m.jpg", quality=75)
    assert np.array_equal(read_reference(tmp_path / "m.jpg", "x").voxels[:, :, 0].T, truth)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_a_grey_picture_is_grey_however_it_is_stored(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(np.where(np.arange(48).reshape(ROWS, COLUMNS) > 20, 255, 0).astype(np.uint8))
    grey.convert(mode).save(tmp_path / "x.png")
    assert np.array_equal(read_volume(VolumeSource(tmp_path / "x.png"), "x").voxels[:, :, 0].T, np.asarray(grey))


def test_what_is_no_whole_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pair(tmp_path)
    path = tmp_path / "anna.png"
    monkeypatch.setattr("bratsseg.study.reading.picture.MOST_PIXELS", ROWS * COLUMNS - 1)
    with pytest.raises(ContentError, match="at most 47 pixels"):
        read_volume(VolumeSource(path), "x")
    monkeypatch.undo()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ReadError, match=r"anna\.png cannot be read"):
        read_volume(VolumeSource(path), "x")
