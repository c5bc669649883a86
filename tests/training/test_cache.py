"""Sources and cache: real files become prepared cases once, and what cannot be learnt from is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from bratsseg.errors import (
    CaseError,
    ConfigError,
    ContentError,
    DialectError,
    GridMismatch,
    LabelError,
    UsageError,
    WriteError,
)
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.transforms import Preparation
from bratsseg.training.cache import CaseCache
from bratsseg.training.sources import DataConfig, Source, TrainingCase, find_training_cases

SHAPE = (24, 26, 20)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NAMES = {"t1n": "t1n", "t1c": "t1c", "t2w": "t2w", "t2f": "t2f"}


def write_case(folder: Path, case: str, label: np.ndarray | None = None, affine: np.ndarray = LPS) -> Path:
    """A ball of brain with four modalities; ``label`` is stored as the segmentation."""
    (folder / case).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(case))
    inside = sum(((np.indices(SHAPE)[a] - SHAPE[a] / 2) / (SHAPE[a] / 2 - 2)) ** 2 for a in range(3)) < 1
    for name in NAMES:
        voxels = np.where(inside, rng.integers(600, 900, SHAPE), 0).astype(np.int16)
        nib.save(nib.Nifti1Image(voxels, LPS), folder / case / f"{case}-{name}.nii.gz")
    if label is not None:
        nib.save(nib.Nifti1Image(label, affine), folder / case / f"{case}-seg.nii.gz")
    return folder


def tumour() -> np.ndarray:
    label = np.zeros(SHAPE, dtype=np.uint8)
    label[8:16, 8:16, 8:14] = 2
    label[10:14, 10:14, 9:12] = 1
    label[11, 11, 10] = 3
    return label


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(3):
        write_case(tmp_path / "scans", f"BraTS-GLI-0000{n}-000", tumour())
    return tmp_path / "scans"


def cases_of(folder: Path, **more: object) -> list[TrainingCase]:
    return find_training_cases(DataConfig.model_validate({"folder": folder} | more))[0]


def cache_at(tmp_path: Path, preparation: Preparation | None = None) -> CaseCache:
    return CaseCache(tmp_path / "cache", preparation or Preparation(), tuple(Modality), tuple(Region))


def test_cases_have_their_patient_and_dialect(folder: Path) -> None:
    cases = cases_of(folder)
    assert [case.case.id for case in cases] == [f"BraTS-GLI-0000{n}-000" for n in range(3)]
    assert [case.patient for case in cases] == [f"BraTS-GLI-0000{n}" for n in range(3)]
    assert {case.dialect for case in cases} == {"brats2023"}


def test_a_prepared_case_holds_the_truth_in_the_models_frame(folder: Path, tmp_path: Path) -> None:
    case = cache_at(tmp_path).open(cases_of(folder)[0])
    assert case.images.dtype == torch.float16
    assert case.images.shape[1:] == case.regions.shape[1:]
    assert [int(region.sum()) for region in case.regions] == [8 * 8 * 6, 4 * 4 * 3, 1]
    assert case.voxel_ml == pytest.approx(0.001)
    place = torch.nonzero(case.regions[2])[0]
    assert torch.equal(case.places[2][0].long(), place)
    assert set(case.tumour_rows[2].tolist()) == set(torch.nonzero(case.regions[0].any(0).any(0)).flatten().tolist())
    for image in case.images.float():
        assert float(image[image != 0].mean()) == pytest.approx(0, abs=0.02)


def test_the_cache_is_filled_once_and_follows_its_files(folder: Path, tmp_path: Path) -> None:
    cache, cases = cache_at(tmp_path), cases_of(folder)
    told: list[tuple[int, int]] = []
    cache.fill(cases, report=lambda done, count: told.append((done, count)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    cache.fill(cases, report=lambda done, count: told.append((done, count)))
    assert len(told) == 3, "nothing is prepared twice"
    label = tumour()
    label[8:16, 8:16, 8:14] = 0
    write_case(folder, "BraTS-GLI-00001-000", label)
    assert not cache.open(cases_of(folder)[1]).regions.any(), "a changed label map is read again"
    assert cache_at(tmp_path, Preparation(spacing_mm=2.0)).open(cases[0]).images.shape[1] < 14


def test_nothing_half_made_is_taken_for_a_case(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, case = cache_at(tmp_path), cases_of(folder)[0]
    cache.folder.mkdir()

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(WriteError, match="No space left on device; nothing was left behind"):
        cache.add(case)
    monkeypatch.undo()
    assert list(cache.folder.iterdir()) == []
    assert cache.open(case).regions.any()


def test_two_processes_may_make_the_same_case(folder: Path, tmp_path: Path) -> None:
    cache, case = cache_at(tmp_path), cases_of(folder)[0]
    cache.fill([case])
    cache.add(case)
    assert len(list(cache.folder.iterdir())) == 1


def test_a_volume_is_not_trained_on_as_a_picture(folder: Path, tmp_path: Path) -> None:
    cache = cache_at(tmp_path, Preparation(subject="picture"))
    with pytest.raises(ContentError, match=r"must be a picture, as preparation\.subject says, was a volume"):
        cache.add(cases_of(folder)[0])


def test_labels_on_another_grid_are_refused(tmp_path: Path) -> None:
    moved = LPS.copy()
    moved[0, 3] = 5.0
    folder = write_case(tmp_path / "scans", "BraTS-GLI-00000-000", tumour(), moved)
    with pytest.raises(GridMismatch, match=r"BraTS-GLI-00000-000: reference must lie on the grid.*5\.0 mm"):
        cache_at(tmp_path).fill(cases_of(folder))


def test_values_outside_the_dialect_are_refused(folder: Path, tmp_path: Path) -> None:
    label = tumour()
    label[3, 3, 3] = 7
    write_case(folder, "BraTS-GLI-00001-000", label)
    with pytest.raises(LabelError, match=r"BraTS-GLI-00001-000: reference: .*\[7\]"):
        cache_at(tmp_path).fill(cases_of(folder))


@pytest.mark.parametrize("workers", [0, 2])
def test_every_case_that_cannot_be_trained_on_is_named_at_once(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bratsseg.training.cache.SIDES_TOO_FEW_FOR_PROCESSES", 2)
    label, names = tumour(), [f"BraTS-GLI-0000{n}-000" for n in range(4)]
    for name in names:
        write_case(tmp_path / "scans", name, label)
    label[3, 3, 3] = 7
    write_case(tmp_path / "scans", names[0], label)
    holed = tmp_path / "scans" / names[1] / f"{names[1]}-t2f.nii.gz"
    voxels = np.asarray(nib.load(holed).dataobj).astype(np.float32)
    voxels[12, 12, 10] = np.nan
    nib.save(nib.Nifti1Image(voxels, LPS), holed)
    (tmp_path / "scans" / names[2] / f"{names[2]}-t1c.nii.gz").write_bytes(b"")
    cache, cases = cache_at(tmp_path), cases_of(tmp_path / "scans")
    with pytest.raises(CaseError, match="3 cases cannot be trained on") as raised:
        cache.fill(cases, workers)
    told = str(raised.value).splitlines()[1:]
    assert [line.split(":")[0] for line in told] == [f"  case {name}" for name in names[:3]]
    assert ["[7]" in told[0], "NaN" in told[1], "empty" in told[2]] == [True] * 3
    assert cache.open(cases[3]).regions.any()


def test_a_missing_label_is_refused_before_training(folder: Path) -> None:
    write_case(folder, "BraTS-GLI-00009-000")
    with pytest.raises(UsageError, match="BraTS-GLI-00009-000 has none"):
        cases_of(folder)


def test_a_missing_modality_is_refused_unless_dropout_teaches_it(folder: Path) -> None:
    (folder / "BraTS-GLI-00001-000" / "BraTS-GLI-00001-000-t2w.nii.gz").unlink()
    with pytest.raises(UsageError, match="BraTS-GLI-00001-000 has not"):
        cases_of(folder)
    assert len(cases_of(folder, modalities=[Modality.FLAIR, Modality.T1C])) == 3
    assert len(cases_of(folder, modality_dropout={})) == 3


def test_an_unproved_dialect_is_asked_for(tmp_path: Path) -> None:
    folder = write_case(tmp_path / "scans", "anna", tumour())
    with pytest.raises(DialectError, match=r"data\.sources\[\]\.dialect"):
        cases_of(folder)
    source = {"folder": str(folder), "dialect": "brats2023"}
    assert len(find_training_cases(DataConfig.model_validate({"sources": [source]}))[0]) == 1


def test_a_case_in_two_sources_is_refused(folder: Path, tmp_path: Path) -> None:
    other = write_case(tmp_path / "other", "BraTS-GLI-00000-000", tumour())
    with pytest.raises(UsageError, match="BraTS-GLI-00000-000 is in two sources"):
        find_training_cases(DataConfig(sources=(Source(folder=folder), Source(folder=other))))


def test_an_empty_folder_and_no_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    with pytest.raises(UsageError, match="found none"):
        cases_of(tmp_path / "scans")
    with pytest.raises(ConfigError, match="folder, sources or synthetic"):
        find_training_cases(DataConfig())


def test_a_medical_decathlon_folder_is_trained_on(tmp_path: Path) -> None:
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    ball = sum(((np.indices(SHAPE)[a] - SHAPE[a] / 2) / (SHAPE[a] / 2 - 2)) ** 2 for a in range(3)) < 1
    for n in range(2):
        scans = np.where(ball[..., None], rng.integers(600, 900, (*SHAPE, 4)), 0).astype(np.int16)
        nib.save(nib.Nifti1Image(scans, LPS), tmp_path / "imagesTr" / f"BRATS_00{n}.nii.gz")
        nib.save(nib.Nifti1Image(tumour(), LPS), tmp_path / "labelsTr" / f"BRATS_00{n}.nii.gz")
    facts = {
        "name": "BRATS",
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
        "training": [
            {"image": f"./imagesTr/BRATS_00{n}.nii.gz", "label": f"./labelsTr/BRATS_00{n}.nii.gz"} for n in range(2)
        ],
        "test": [],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(facts))
    cases = cases_of(tmp_path)
    assert {case.dialect for case in cases} == {"msd"}
    case = cache_at(tmp_path).open(cases[0])
    assert [int(region.sum()) for region in case.regions] == [8 * 8 * 6, 8 * 8 * 6 - 4 * 4 * 3 + 1, 1]
