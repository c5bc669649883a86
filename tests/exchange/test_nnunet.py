"""A folder of studies becomes a data set that nnU-Net v2 trains on, and that we read back as the same patients."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.errors import DialectError, UsageError
from bratsseg.exchange.nnunet import export_nnunet, read_run_split
from bratsseg.study.dialect import get_dialect
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from bratsseg.training.split import Split, write_split
from tests.exchange.made import SHAPE, affine, label_map, write_nifti
from tests.flows.conftest import bratsseg

SUFFIXES = {Modality.FLAIR: "flair", Modality.T1N: "t1", Modality.T1C: "t1ce", Modality.T2W: "t2"}
MEANT = label_map().regions
LABELS = get_dialect("brats2021").encode(MEANT)


def scan(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 900, SHAPE, dtype=np.int16)


def brats(folder: Path, count: int = 3, ending: str = ".nii.gz") -> Path:
    """So many cases with four scans and a reference each, named as BraTS 2021 does."""
    for number in range(count):
        case = f"BraTS2021_{number:05d}"
        for channel, suffix in enumerate(SUFFIXES.values()):
            write_nifti(folder / case / f"{case}_{suffix}{ending}", scan(10 * number + channel), dtype=np.int16)
        write_nifti(folder / case / f"{case}_seg{ending}", LABELS)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_data_set_is_as_nnunet_documents_it(tmp_path):
    out = tmp_path / "Dataset501_Glioma"
    ended = bratsseg("convert", brats(tmp_path / "in"), out, "--to", "nnunet")
    assert (ended.code, "3 cases converted, 0 refused" in ended.out) == (0, True), ended
    facts = json.loads((out / "dataset.json").read_text())
    assert facts["channel_names"] == {"0": "FLAIR", "1": "T1", "2": "T1ce", "3": "T2"}
    assert facts["numTraining"] == 3
    assert facts["file_ending"] == ".nii.gz"
    # Whole, core, enhancing: nnU-Net decodes in this order, later over earlier.
    assert list(facts["labels"].items()) == [
        ("background", 0),
        ("whole_tumor", [1, 2, 3]),
        ("tumor_core", [2, 3]),
        ("enhancing_tumor", [3]),
    ]
    assert facts["regions_class_order"] == [1, 2, 3]
    assert names(out / "labelsTr") == [f"BraTS2021_{number:05d}.nii.gz" for number in range(3)]
    assert names(out / "imagesTr")[:4] == [f"BraTS2021_00000_{channel:04d}.nii.gz" for channel in range(4)]
    stored = np.asarray(nib.load(out / "labelsTr" / "BraTS2021_00001.nii.gz").dataobj)
    assert set(np.unique(stored)) == {0, 1, 2, 3}


@pytest.mark.parametrize("ending", [".nii.gz", ".nii"])
def test_our_own_reader_finds_the_same_patients_and_regions(tmp_path, ending):
    source = brats(tmp_path / "in", 1, ending)
    export_nnunet(source, tmp_path / "Dataset501_A")
    (before,), (after,) = find_cases(source), find_cases(tmp_path / "Dataset501_A")
    assert (after.id, after.layout, after.dialect) == (before.id, "nnunet", "nnunet-brats21")
    one, other = read_study(before), read_study(after)
    for modality in Modality:
        assert np.array_equal(one.volumes[modality].voxels, other.volumes[modality].voxels)
        assert one.volumes[modality].voxels.dtype == other.volumes[modality].voxels.dtype
        assert np.array_equal(one.volumes[modality].grid.affine, other.volumes[modality].grid.affine)
    reference = nib.load(after.reference)
    assert np.array_equal(get_dialect(after.dialect).decode(np.asarray(reference.dataobj), "it"), MEANT)
    assert np.array_equal(reference.affine, nib.load(after.sources[Modality.FLAIR].path).affine)


def test_channels_of_a_4d_file_become_files_with_its_header(tmp_path):
    voxels = np.stack([scan(number) for number in range(4)], axis=-1)
    write_nifti(tmp_path / "Task01" / "imagesTr" / "BRATS_001.nii.gz", voxels, dtype=np.int16)
    write_nifti(tmp_path / "Task01" / "labelsTr" / "BRATS_001.nii.gz", get_dialect("msd").encode(MEANT))
    facts = {
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
    }
    (tmp_path / "Task01" / "dataset.json").write_text(json.dumps(facts))
    export_nnunet(tmp_path / "Task01", tmp_path / "Dataset501_A")
    whole = nib.load(tmp_path / "Task01" / "imagesTr" / "BRATS_001.nii.gz").header
    for channel in range(4):
        made = nib.load(tmp_path / "Dataset501_A" / "imagesTr" / f"BRATS_001_{channel:04d}.nii.gz")
        assert np.array_equal(np.asarray(made.dataobj), voxels[..., channel])
        for name in ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_x", "xyzt_units"):
            assert np.array_equal(made.header[name], whole[name]), name


def test_the_split_of_a_run_is_nnunets_without_its_test_cases(tmp_path):
    source = brats(tmp_path / "in", 4)
    case = [f"BraTS2021_{number:05d}" for number in range(4)]
    folds = [{"train": case[:2], "validation": case[2:3]}, {"train": case[1:3], "validation": case[:1]}]
    files = []
    for number, fold in enumerate(folds):
        files += ["--split", tmp_path / f"{number}.json"]
        write_split(Split(**fold, test=case[3:]), files[-1])
    out = tmp_path / "Dataset501_A"
    ended = bratsseg("convert", source, out, "--to", "nnunet", *files)
    assert ended.code == 0
    assert "copy it there after planning" in ended.out
    assert json.loads((out / "splits_final.json").read_text()) == [
        {"train": fold["train"], "val": fold["validation"]} for fold in folds
    ]
    assert names(out / "labelsTr") == [f"{name}.nii.gz" for name in case[:3]]
    assert names(out / "labelsTs") == [f"{case[3]}.nii.gz"]
    assert json.loads((out / "dataset.json").read_text())["numTraining"] == 3


def test_a_case_that_does_not_fit_is_refused_without_a_trace(tmp_path):
    source = brats(tmp_path / "in", 3)
    (source / "BraTS2021_00001" / "BraTS2021_00001_t2.nii.gz").unlink()
    write_nifti(source / "BraTS2021_00002" / "BraTS2021_00002_seg.nii.gz", LABELS, affine(origin=(0.0, 0.0, 0.0)))
    out = tmp_path / "Dataset501_A"
    done = export_nnunet(source, out)
    assert [item.code for item in done.refused] == ["modality_missing", "grids_differ"]
    assert "lacks T2" in done.refused[0].reason
    assert names(out / "labelsTr") == ["BraTS2021_00000.nii.gz"]
    assert len(names(out / "imagesTr")) == 4
    fewer = export_nnunet(source, tmp_path / "Dataset502_B", modalities=(Modality.FLAIR, Modality.T1C))
    assert len(fewer.done) == 2


def test_a_case_without_a_reference_is_for_testing(tmp_path):
    source = brats(tmp_path / "in", 2)
    (source / "BraTS2021_00001" / "BraTS2021_00001_seg.nii.gz").unlink()
    export_nnunet(source, tmp_path / "Dataset501_A")
    assert names(tmp_path / "Dataset501_A" / "imagesTs") == [
        f"BraTS2021_00001_{channel:04d}.nii.gz" for channel in range(4)
    ]
    assert names(tmp_path / "Dataset501_A" / "labelsTs") == []


def test_what_is_lost_is_said(tmp_path):
    source = brats(tmp_path / "in", 1)
    values = LABELS.copy()
    values[0, 0, 0] = 4
    for path in source.rglob("*_seg.nii.gz"):
        write_nifti(path, values)
    done = export_nnunet(source, tmp_path / "glioma", source="brats2024")
    assert any("value 4 of brats2024" in warning for warning in done.warnings)
    assert any("Dataset501_Glioma" in warning for warning in done.warnings)


def test_wrong_use_is_one_clear_error(tmp_path):
    source = brats(tmp_path / "in", 1)
    with pytest.raises(UsageError, match="must lie outside IN"):
        export_nnunet(source, source / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(UsageError, match="must be a new or an empty folder"):
        export_nnunet(source, tmp_path / "full")
    (tmp_path / "split.json").write_text('{"train": ["nobody"], "validation": []}')
    with pytest.raises(UsageError, match="1 of its cases are not there, such as nobody"):
        export_nnunet(source, tmp_path / "out", splits=[read_run_split(tmp_path / "split.json")])
    (tmp_path / "split.json").write_text("[]")
    with pytest.raises(UsageError, match=r"must be the split\.json of a run"):
        read_run_split(tmp_path / "split.json")
    (tmp_path / "P1").mkdir()
    for suffix in ("flair", "seg"):
        write_nifti(tmp_path / "P1" / "P1" / f"P1_{suffix}.nii.gz", LABELS.astype(np.int16))
    with pytest.raises(DialectError, match="say which with --from"):
        export_nnunet(tmp_path / "P1", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert bratsseg("convert", source, tmp_path / "out", "--split", tmp_path / "split.json").code == 2
    assert bratsseg("convert", source, tmp_path / "out", "--to", "nnunet", "--modalities", "ct").code == 2
