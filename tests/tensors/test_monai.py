from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch
from monai.transforms import Compose, Invertd, LoadImage, LoadImaged

from bratsseg.errors import ContentError, GridMismatch, LabelError, ModalityAmbiguous, ModalityMissing, UsageError
from bratsseg.study.brain import find_brain
from bratsseg.study.dialect import DIALECTS, get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from bratsseg.study.volume import Study
from bratsseg.tensors.monai import PrepareStudyd, StudyReader, ToRegionsd, model_to_source
from bratsseg.tensors.transforms import Preparation, place_back, plan, prepare, to_model_frame
from tests.conftest import ball, make_study

AFFINE = np.array([[-2.0, 0, 0, 40], [0, -1.6, 0, 50], [0, 0, 2.4, -30], [0, 0, 0, 1]])
PREPARATIONS = [Preparation(), Preparation(spacing_mm=2.0, multiple=8)]


def write_case(root: Path, name: str, affine: np.ndarray = AFFINE, seed: int = 0) -> Study:
    study = make_study((Modality.FLAIR, Modality.T1C), shape=(32, 38, 30), affine=affine, seed=seed)
    folder = root / name
    folder.mkdir(parents=True)
    for modality, volume in study.volumes.items():
        suffix = {Modality.FLAIR: "t2f", Modality.T1C: "t1c"}[modality]
        nib.Nifti1Image(volume.voxels, affine).to_filename(folder / f"{name}-{suffix}.nii.gz")
    labels = np.zeros(study.reference.grid.shape, dtype=np.uint8)
    labels[ball(labels.shape, (13, 20, 15), 6)] = 2
    labels[ball(labels.shape, (13, 20, 15), 4)] = 1
    labels[ball(labels.shape, (13, 20, 15), 2)] = 3
    nib.Nifti1Image(labels, affine).to_filename(folder / f"{name}-seg.nii.gz")
    return study


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(2):
        write_case(tmp_path, f"BraTS-GLI-0000{number}-000", seed=number)
    return tmp_path


def road(preparation: Preparation) -> Compose:
    return Compose(
        [
            LoadImaged("study", reader=StudyReader()),
            LoadImaged("label", ensure_channel_first=True),
            ToRegionsd("label", dialect="brats2023"),
            PrepareStudyd(("study", "label"), preparation),
        ]
    )


def items(scans: Path) -> list[dict[str, str]]:
    return [{"study": str(case.reference.parent), "label": str(case.reference)} for case in find_cases(scans)]


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_a_compose_computes_what_the_pure_functions_do(scans, preparation):
    """Also in the processes of a loader."""
    loader = DataLoader(Dataset(items(scans), road(preparation)), batch_size=1, num_workers=1)
    for case, batch in zip(find_cases(scans), loader, strict=True):
        study = read_study(case)
        images, _, placement = prepare(study, find_brain(study), study.modalities, preparation)
        assert torch.equal(batch["study"][0].as_tensor(), images)
        labels = np.asarray(nib.load(case.reference).dataobj)
        regions = torch.from_numpy(get_dialect("brats2023").decode(labels, "test"))
        wanted = to_model_frame(regions[(slice(None), *placement.box)].float(), placement) > 0.5
        assert torch.equal(batch["label"][0].as_tensor(), wanted)


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_a_prediction_returns_to_the_source_grid(scans, preparation):
    transform = road(preparation)
    back = Invertd("pred", transform, orig_keys="study", nearest_interp=False)
    for batch in DataLoader(Dataset(items(scans), transform), batch_size=1, num_workers=1):
        batch["pred"] = batch["study"].sigmoid()
        for sample in decollate_batch(batch):
            placement = sample["study"].applied_operations[-1]["extra_info"]["placement"]
            wanted = torch.zeros((2, *placement.source))
            wanted[(slice(None), *placement.box)] = place_back(sample["pred"].as_tensor(), placement)
            restored = back(sample)["pred"]
            assert torch.equal(restored.as_tensor(), wanted)
            np.testing.assert_allclose(restored.affine, AFFINE)


def test_the_inverse_gives_regions_back_to_the_bit(scans):
    """Where nothing was resampled."""
    transform = road(Preparation(multiple=16))
    item = items(scans)[0]
    regions = Compose(transform.transforms[:3])(item)["label"]
    restored = transform.inverse(transform(item))["label"]
    assert restored.dtype == torch.bool
    assert torch.equal(restored.as_tensor(), regions.as_tensor())
    np.testing.assert_allclose(restored.affine, regions.affine)


def test_a_resampled_mask_comes_back_as_a_mask(scans):
    transform = road(Preparation(spacing_mm=1.0))
    item = items(scans)[0]
    regions = Compose(transform.transforms[:3])(item)["label"][0]
    restored = transform.inverse(transform(item))["label"][0]
    assert 2 * (regions & restored).sum() / (regions.sum() + restored.sum()) > 0.97


@pytest.mark.parametrize("spacing", [None, 1.0, 3.0])
def test_the_affine_of_the_model_frame_says_where_its_voxels_lie(spacing):
    shape = (20, 24, 22)
    grid = Grid.of(shape, AFFINE[[1, 2, 0, 3]] if spacing else AFFINE)
    placement = plan(grid, (slice(2, 19), slice(1, 20), slice(0, 22)), Preparation(spacing_mm=spacing))
    index = np.stack(np.meshgrid(*(np.arange(size, dtype=np.float32) for size in shape), indexing="ij"))
    seen = to_model_frame(torch.from_numpy(index)[(slice(None), *placement.box)], placement).numpy()
    inner = (slice(None), *(slice(4, -4) for _ in range(3))) if spacing == 1.0 else (slice(None), *[slice(2, -2)] * 3)
    model = np.stack(np.meshgrid(*(np.arange(size) for size in seen.shape[1:]), indexing="ij"))
    matrix = model_to_source(placement)
    wanted = np.einsum("ab,bijk->aijk", matrix[:3, :3], model) + matrix[:3, 3, None, None, None]
    np.testing.assert_allclose(seen[inner], wanted[inner], atol=1e-3)
    assert np.all(np.diag(np.abs(grid.affine @ matrix)[:3, :3]) > 0)
    assert nib.aff2axcodes(grid.affine @ matrix) == ("R", "A", "S")


def test_every_way_of_naming_a_case_reads_the_same(scans):
    case = find_cases(scans)[0]
    files = {modality: source.path for modality, source in case.sources.items()}
    wanted = read_study(case).stack()
    reader = StudyReader()
    for item in (case, str(case.reference.parent), list(files.values()), files):
        np.testing.assert_array_equal(reader.get_data(reader.read(item))[0], wanted)
    loaded = LoadImage(reader=reader, expanduser=False)(case)
    assert isinstance(loaded, MetaTensor)
    np.testing.assert_array_equal(loaded.numpy(), wanted)
    np.testing.assert_allclose(loaded.affine, AFFINE)
    assert loaded.meta["channels"] == "flair,t1c"


def test_a_missing_modality_is_zeros_only_when_asked(scans):
    study = StudyReader().read(find_cases(scans)[0])
    with pytest.raises(ModalityMissing, match="T1, T2 must be there"):
        StudyReader(tuple(Modality)).get_data(study)
    stack, meta = StudyReader(tuple(Modality), missing="zeros").get_data(study)
    assert stack.shape[0] == 4
    assert not stack[1].any()
    assert not stack[3].any()
    assert stack[2].any()
    prepared = PrepareStudyd("study")({"study": MetaTensor(stack, meta=meta)})["study"]
    images, _, _ = prepare(study, find_brain(study), tuple(Modality), Preparation())
    assert torch.equal(prepared.as_tensor(), images)


def test_a_brain_mask_of_the_case_is_obeyed(scans):
    case = find_cases(scans)[0]
    mask = np.zeros((32, 38, 30), dtype=np.uint8)
    mask[8:20, 9:25, 6:22] = 1
    nib.Nifti1Image(mask, AFFINE).to_filename(case.reference.parent / "brainmask.nii.gz")
    transform = Compose([LoadImaged("study", reader=StudyReader()), PrepareStudyd("study", Preparation(margin=0))])
    prepared = transform({"study": str(case.reference.parent)})["study"]
    assert prepared.shape[1:] == (12, 16, 16)
    assert "brain_mask" not in prepared.meta


@pytest.mark.parametrize("name", DIALECTS)
def test_regions_are_what_the_dialect_says(name):
    dialect = get_dialect(name)
    values = np.zeros((3, 3, 3), dtype=np.float32)
    values.flat[: len(dialect.meaning)] = list(dialect.meaning)
    regions = ToRegionsd("label", name)({"label": MetaTensor(values[None], affine=AFFINE)})["label"]
    np.testing.assert_array_equal(regions.numpy(), dialect.decode(values, "test"))
    np.testing.assert_allclose(regions.affine, AFFINE)


def test_wrong_use_is_refused(scans):
    item = items(scans)[0]
    with pytest.raises(UsageError, match="must hold one case, holds 2"):
        StudyReader().read(scans)
    with pytest.raises(ModalityAmbiguous):
        StudyReader().read([item["label"]])
    loaded = {"study": LoadImage(reader=StudyReader())(item["study"])}
    with pytest.raises(UsageError, match="channels are named"):
        PrepareStudyd("study")({"study": torch.zeros((2, 8, 8, 8))})
    with pytest.raises(UsageError, match="must be in the data"):
        PrepareStudyd(("study", "label"))(loaded)
    labels = MetaTensor(torch.full((1, 32, 38, 30), 3.0), affine=AFFINE)
    with pytest.raises(LabelError, match="put ToRegionsd before"):
        PrepareStudyd(("study", "label"))({**loaded, "label": labels})
    with pytest.raises(GridMismatch, match="shape"):
        PrepareStudyd(("study", "label"))({**loaded, "label": labels[:, 1:] * 0})
    moved = MetaTensor(torch.zeros((1, 32, 38, 30)), affine=np.eye(4))
    with pytest.raises(GridMismatch, match="mm away"):
        PrepareStudyd(("study", "label"))({**loaded, "label": moved})
    with pytest.raises(LabelError, match="must be"):
        ToRegionsd("label", "brats2023")({"label": torch.zeros((2, 4, 4, 4))})


def test_modalities_are_named_as_files_name_them(tmp_path: Path) -> None:
    write_case(tmp_path, "P1")
    reader = StudyReader(["t1ce", "T2-FLAIR", Modality.T1N], missing="zeros")
    assert reader.modalities == (Modality.T1C, Modality.FLAIR, Modality.T1N)
    files = {"t1ce": tmp_path / "P1" / "P1-t1c.nii.gz", "flair": tmp_path / "P1" / "P1-t2f.nii.gz"}
    assert set(StudyReader().read(files).volumes) == {Modality.T1C, Modality.FLAIR}
    for wrong in (["t9"], ["t1ce", "t1c"], ["t1ce", ""]):
        with pytest.raises(UsageError, match="such as t1ce, each once, were"):
            StudyReader(wrong)


def test_a_voxel_that_is_no_number_is_refused_by_the_reader(tmp_path: Path) -> None:
    study = write_case(tmp_path, "P1")
    voxels = study.volumes[Modality.FLAIR].voxels.astype(np.float32)
    voxels[16, 19, 15] = np.nan
    nib.Nifti1Image(voxels, AFFINE).to_filename(tmp_path / "P1" / "P1-t2f.nii.gz")
    with pytest.raises(ContentError, match="case P1: FLAIR: every voxel must be a number"):
        StudyReader().read(tmp_path / "P1")
