"""Other people's readers open our segmentation of an oblique study and see the same tumour in the same place."""

from __future__ import annotations

import io
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bratsseg.study.modality import Modality
from tests.conftest import make_study
from tests.flows.conftest import segment

pytestmark = pytest.mark.client

LPS = np.diag([-1.0, -1.0, 1.0])
EDEMA = 2  # flair-threshold finds the whole tumour alone, which brats2023 stores as edema


def oblique() -> np.ndarray:
    """Voxels of 0.9 x 1.2 x 3 mm, turned by 20 degrees, with the second axis reversed."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("zyx", (20, -8, 5), degrees=True).as_matrix() @ np.diag([0.9, -1.2, 3.0])
    affine[:3, 3] = (-31.0, 42.0, 17.0)
    return affine


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The label map of a study segmented by the command line."""
    folder = tmp_path_factory.mktemp("oblique")
    study = make_study((Modality.FLAIR, Modality.T1C), affine=oblique())
    words = []
    for flag, modality in (("--flair", Modality.FLAIR), ("--t1ce", Modality.T1C)):
        path = folder / f"anna_{modality}.nii.gz"
        nib.Nifti1Image(study.volumes[modality].voxels, oblique()).to_filename(path)
        words += [flag, path]
    ended = segment(*words, "--case-id", "anna", folder / "out")
    assert ended.code == 0, ended.err
    return folder / "out" / "anna" / "anna_seg.nii.gz"


@pytest.fixture(scope="module")
def seen(written: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values (I, J, K) and the centre of the tumour in RAS mm, as nibabel has them."""
    image = nib.load(written)
    values = np.asarray(image.dataobj)
    centre = nib.affines.apply_affine(image.affine, np.argwhere(values == EDEMA).mean(axis=0))
    return values, centre


def test_the_segmentation_found_the_lesion(seen):
    assert 500 < np.count_nonzero(seen[0] == EDEMA) < 2000


def test_simpleitk_has_the_same_geometry_and_voxels(written, seen):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    image = sitk.ReadImage(str(written))
    affine = nib.load(written).affine
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, seen[0])
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    np.testing.assert_allclose(image.GetSpacing(), spacing, rtol=1e-5)
    np.testing.assert_allclose(image.GetOrigin(), LPS @ affine[:3, 3], atol=1e-4)
    direction = np.reshape(image.GetDirection(), (3, 3))
    np.testing.assert_allclose(direction, LPS @ affine[:3, :3] / spacing, atol=1e-5)
    place = np.argwhere(seen[0] == EDEMA).mean(axis=0)
    np.testing.assert_allclose(LPS @ image.TransformContinuousIndexToPhysicalPoint(place), seen[1], atol=1e-3)


def test_simpleitk_has_the_same_geometry_as_for_the_scan(written):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    ours, scan = sitk.ReadImage(str(written)), sitk.ReadImage(str(written.parents[2] / "anna_t1c.nii.gz"))
    assert ours.GetSize() == scan.GetSize()
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(ours, name)() == getattr(scan, name)()


def test_c3d_measures_the_same_volume_in_the_same_place(written, seen):
    picsl = pytest.importorskip("picsl_c3d", reason="picsl-c3d is not installed")
    c3d, out = picsl.Convert3D(), io.StringIO()
    c3d.execute(f"{written} -dup -lstat", out=out)
    rows = [line.split() for line in out.getvalue().splitlines()]
    heading = next(row for row in rows if row[:1] == ["LabelID"])
    row = next(row for row in rows if row[:1] == [str(EDEMA)])
    voxels = np.count_nonzero(seen[0] == EDEMA)
    facts = dict(zip(heading, row, strict=False))
    assert int(facts["Count"]) == voxels
    affine = nib.load(written).affine
    assert float(facts["Vol(mm^3)"]) == pytest.approx(voxels * abs(np.linalg.det(affine[:3, :3])), rel=1e-4)


def test_c3d_sees_the_orientation_of_the_scan(written, seen):
    picsl = pytest.importorskip("picsl_c3d", reason="picsl-c3d is not installed")
    c3d, out = picsl.Convert3D(), io.StringIO()
    c3d.execute(f"{written} -info -thresh {EDEMA} {EDEMA} 1 0 -centroid", out=out)
    text = out.getvalue()
    codes = "".join(nib.aff2axcodes(nib.load(written).affine))
    # c3d names the side an axis comes from, nibabel the side it goes to.
    opposite = codes.translate(str.maketrans("LRAPSI", "RLPAIS"))
    assert f"Oblique, closest to {opposite}" in text
    line = next(line for line in text.splitlines() if "CENTROID_MM" in line)
    centre = np.array([float(part) for part in line.partition("[")[2].rstrip("]").replace(",", " ").split()])
    np.testing.assert_allclose(centre, seen[1], atol=1e-3)  # RAS, as ITK-SNAP shows it
