"""BraTS of every year, flat or nested."""

from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.study.modality import Modality
from tests.study.scans import brats, only, put


@pytest.mark.parametrize(
    ("stem", "dialect"),
    [
        ("BraTS2021_00000", "brats2021"),
        ("BraTS20_Training_001", "brats2021"),
        ("BraTS19_2013_10_1", "brats2021"),
        ("Brats18_TCIA01_131_1", "brats2021"),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_brats_to_2021(tmp_path: Path, stem: str, dialect: str, nested: bool) -> None:
    put(tmp_path / stem if nested else tmp_path, *brats(stem, "seg"))
    case = only(tmp_path)
    assert (case.id, case.dialect) == (stem, dialect)
    assert list(case.sources) == list(Modality)
    assert case.sources[Modality.T1C].path.name == f"{stem}_t1ce.nii.gz"
    assert case.reference is not None
    assert case.reference.name == f"{stem}_seg.nii.gz"
    assert not case.problems


@pytest.mark.parametrize(
    ("parent", "stem", "dialect"),
    [
        ("train", "BraTS-GLI-00000-000", "brats2023"),
        ("synthetic", "BraTS-SYN-00000-000", "brats2023"),
        ("train", "BraTS-PED-00002-000", "brats2024-ped"),
        ("ASNR-MICCAI-BraTS2023-PED-Challenge-TrainingData", "BraTS-PED-00002-000", None),
        ("train", "BraTS-MET-00002-000", None),
    ],
)
def test_brats_since_2023(tmp_path: Path, parent: str, stem: str, dialect: str | None) -> None:
    put(tmp_path / parent / stem, *(f"{stem}-{word}.nii.gz" for word in ("t1n", "t1c", "t2W", "t2f", "seg")))
    case = only(tmp_path)
    assert (case.id, case.dialect) == (stem, dialect)
    assert list(case.sources) == list(Modality)


def test_the_misnamed_label_map_of_brats_2020_is_found(tmp_path: Path) -> None:
    put(tmp_path / "BraTS20_Training_355", *brats("BraTS20_Training_355"), "W39_1998.09.19_Segm.nii")
    reference = only(tmp_path).reference
    assert reference is not None
    assert reference.name == "W39_1998.09.19_Segm.nii"


def test_brats_2015_has_each_file_in_a_folder_of_its_own(tmp_path: Path) -> None:
    names = [
        f"VSD.Brain.XX.O.{kind}.{n}" for n, kind in enumerate(("MR_Flair", "MR_T1", "MR_T1c", "MR_T2", "OT"), 54512)
    ]
    put(tmp_path / "HGG" / "brats_2013_pat0001_1", *(f"{name}/{name}.mha" for name in names))
    case = only(tmp_path)
    assert (case.id, case.dialect) == ("brats_2013_pat0001_1", "brats2013")
    assert list(case.sources) == list(Modality)


def test_a_brain_mask_and_a_2013_reference(tmp_path: Path) -> None:
    put(tmp_path / "pat1", "Flair_subtrMeanDivStd.nii.gz", "T1c_subtrMeanDivStd.nii.gz", "OTMultiClass.nii.gz")
    put(tmp_path / "pat1", "brainmask.nii.gz")
    case = only(tmp_path)
    assert (case.id, case.dialect, case.mask) == ("pat1", "brats2013", tmp_path / "pat1" / "brainmask.nii.gz")
    assert set(case.sources) == {Modality.FLAIR, Modality.T1C}
