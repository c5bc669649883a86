"""The LGG set of TCGA: a folder of slices for each case."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg.study.case import Case
from bratsseg.study.checks import check_case
from bratsseg.study.dialect import get_dialect
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_reference, read_study
from bratsseg.study.regions import Region

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


def test_the_real_lgg_set(real_data: Path) -> None:
    cases = find_cases(real_data / "lgg" / "kaggle_3m.zip")
    assert len(cases) == 20
    checks = [check_case(case) for case in cases]
    assert all(check.usable for check in checks)
    assert sum(check.headers[Modality.FLAIR].grid.shape[2] for check in checks) == 579
    assert set(get_dialect("whole-tumour").expresses) == {Region.WT}
