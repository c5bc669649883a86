"""Pictures as studies: the LGG set, folder or zip, and pairs of picture and mask; never beside scans or results."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg.errors import ContentError, ModalityAmbiguous, ReadError, UsageError
from bratsseg.study.brain import find_brain
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.checks import check_case
from bratsseg.study.dialect import get_dialect
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_files, read_reference, read_study, read_volume
from bratsseg.study.regions import Region
from tests.study.scans import put

CASE = "TCGA_CS_4941_19960909"
SLICES = 11
ROWS, COLUMNS = 6, 8


def write_lgg(root: Path, case: str = CASE, masks: bool = True) -> Path:
    """Slice n holds n, 20 + n, 40 + n in its colours at row 1, column 2; its mask marks row 3, column 4."""
    folder = root / case
    folder.mkdir(parents=True)
    for n in range(1, SLICES + 1):
        pixels = np.zeros((ROWS, COLUMNS, 3), dtype=np.uint8)
        pixels[1, 2] = n, 20 + n, 40 + n
        Image.fromarray(pixels).save(folder / f"{case}_{n}.tif")
        if masks:
            mask = np.zeros((ROWS, COLUMNS), dtype=np.uint8)
            mask[3, 4] = 255 if n > 5 else 0
            Image.fromarray(mask).save(folder / f"{case}_{n}_mask.tif")
    return root


def only(root: Path, layout: Path | None = None) -> Case:
    (case,) = find_cases(root, layout)
    return case


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))


@pytest.mark.parametrize("packed", [False, True])
def test_an_lgg_patient_is_one_study_in_the_order_of_its_slices(tmp_path: Path, packed: bool) -> None:
    root = write_lgg(tmp_path / "kaggle_3m")
    case = only(zipped(root) if packed else root)
    assert (case.id, case.layout, case.dialect, case.problems) == (CASE, "lgg", "whole-tumour", ())
    study = read_study(case)
    assert study.modalities == (Modality.FLAIR, Modality.T1N, Modality.T1C)
    volume = study.volumes[Modality.FLAIR]
    assert volume.voxels.dtype == np.uint8
    assert volume.voxels.shape == (COLUMNS, ROWS, SLICES)
    assert volume.voxels[2, 1].tolist() == [20 + n for n in range(1, SLICES + 1)], "2 comes before 10"
    assert [int(study.volumes[m].voxels[2, 1, 0]) for m in (Modality.T1N, Modality.T1C)] == [1, 41]
    assert case.reference is not None
    truth = get_dialect("whole-tumour").decode(read_reference(case.reference, "x").values(), "x")
    assert np.argwhere(truth[0]).tolist() == [[4, 3, k] for k in range(5, SLICES)]
    assert not truth[1:].any()


def test_a_picture_has_no_size_and_is_taken_whole(tmp_path: Path) -> None:
    study = read_study(only(write_lgg(tmp_path / "kaggle_3m")))
    grid = study.require_one_grid()
    assert (grid.physical, grid.spacing, grid.voxel_ml) == (False, None, None)
    assert find_brain(study).mask.all()


def test_a_copy_of_the_set_inside_the_set_is_taken_once(tmp_path: Path) -> None:
    write_lgg(tmp_path / "kaggle_3m")
    write_lgg(tmp_path / "kaggle_3m" / "kaggle_3m")
    case = only(zipped(tmp_path / "kaggle_3m"))
    assert case.problems == ()
    (tmp_path / "kaggle_3m" / "kaggle_3m" / CASE / f"{CASE}_3.tif").unlink()
    assert "other slices" in only(tmp_path / "kaggle_3m").problems[0].message


@pytest.mark.parametrize(("lost", "said"), [("_3.tif", "missing: .3."), ("_3_mask.tif", r"one of both only: \[3\]")])
def test_a_lost_slice_is_named(tmp_path: Path, lost: str, said: str) -> None:
    root = write_lgg(tmp_path / "kaggle_3m")
    (root / CASE / f"{CASE}{lost}").unlink()
    with pytest.raises(Exception, match=said):
        read_study(only(root))


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


def write_pair(folder: Path, name: str = "anna", end: str = ".png") -> None:
    """A grey picture and its mask side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    grey = np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(ROWS, COLUMNS)
    Image.fromarray(grey).save(folder / f"{name}{end}")
    Image.fromarray(np.where(grey > 40, 255, 0).astype(np.uint8)).save(folder / f"{name}_mask{end}")


def test_a_picture_whose_name_says_its_modality_is_a_case(tmp_path: Path) -> None:
    write_pair(tmp_path, "anna_flair")
    case = only(tmp_path)
    assert (case.layout, list(case.sources), case.dialect) == ("pairs", [Modality.FLAIR], "whole-tumour")
    assert read_study(case).reference.voxels.shape == (COLUMNS, ROWS, 1)


def test_a_picture_of_which_nobody_says_the_modality_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path)
    with pytest.raises(ModalityAmbiguous, match=r"anna\.png.*--layout"):
        read_study(only(tmp_path))


def test_a_layout_says_what_grey_pictures_and_colours_are(tmp_path: Path) -> None:
    write_pair(tmp_path / "in")
    layout = tmp_path / "layout.yaml"
    layout.write_text('flair: "{case}.png"\nreference: "{case}_mask.png"\ndialect: whole-tumour\n')
    case = only(tmp_path / "in", layout)
    assert (case.id, list(case.sources), case.dialect) == ("anna", [Modality.FLAIR], "whole-tumour")
    Image.new("RGB", (COLUMNS, ROWS), (1, 2, 3)).save(tmp_path / "in" / "anna.png")
    with pytest.raises(ContentError, match="3 volumes"):
        read_study(only(tmp_path / "in", layout))
    layout.write_text('volumes: "{case}.png"\nchannels: [t1, flair, t1ce]\nreference: "{case}_mask.png"\n')
    study = read_study(only(tmp_path / "in", layout))
    assert [int(study.volumes[m].voxels.max()) for m in Modality if m in study.volumes] == [2, 1, 3]


def test_images_and_masks_in_folders_of_their_own_are_pairs(tmp_path: Path) -> None:
    write_pair(tmp_path / "images", "p1_flair")
    (tmp_path / "masks").mkdir()
    (tmp_path / "images" / "p1_flair_mask.png").rename(tmp_path / "masks" / "p1_flair.png")
    case = only(tmp_path)
    assert case.reference == tmp_path / "masks" / "p1_flair.png"


def test_pictures_beside_scans_are_no_cases(tmp_path: Path) -> None:
    put(tmp_path / "P1", "flair.nii.gz", "t1ce.nii.gz")
    write_pair(tmp_path / "P1", "P1_flair")
    write_pair(tmp_path, "axial_flair")
    assert [case.id for case in find_cases(tmp_path)] == ["P1"]


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


def test_the_real_lgg_set(real_data: Path) -> None:
    cases = find_cases(real_data / "lgg" / "kaggle_3m.zip")
    assert len(cases) == 20
    checks = [check_case(case) for case in cases]
    assert all(check.usable for check in checks)
    assert sum(check.headers[Modality.FLAIR].grid.shape[2] for check in checks) == 579
    assert set(get_dialect("whole-tumour").expresses) == {Region.WT}
