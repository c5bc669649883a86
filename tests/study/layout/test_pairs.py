"""Pictures with a mask each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg.errors import ContentError, ModalityAmbiguous
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from tests.study.layout.test_lgg import only
from tests.study.scans import put

ROWS, COLUMNS = 6, 8


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
