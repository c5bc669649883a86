"""One voxel, addressed by RAS mm, has the same label in every format through each program's own reader."""

from __future__ import annotations

import io
import re

import nibabel as nib
import numpy as np
import pytest

from bratsseg.exchange import add_bids, convert_folder
from bratsseg.study.dialect import get_dialect
from bratsseg.study.regions import Tissue
from tests.exchange.made import affine, label_map, scan, voxel_to_ras, write_export, write_result

pytestmark = pytest.mark.client
BRATS21 = get_dialect("brats2021")
VOXELS = {(7, 10, 6): Tissue.ENHANCING, (5, 8, 3): Tissue.NECROSIS, (3, 6, 2): Tissue.EDEMA, (13, 16, 8): Tissue.EDEMA}
VOXELS[19, 0, 11] = None
GRIDS = [affine(), affine(flips=(1, 1, 1)), affine((0.5, 1.2, -0.9), (0.8, 0.9, 5.0), (-1, -1, -1))]


def nibabel_at(path, ras):
    image = nib.load(path)
    return int(np.asarray(image.dataobj)[index(image.affine, ras)])


def slicerio_at(path, ras):
    slicerio = pytest.importorskip("slicerio", reason="slicerio is not installed (pip install slicerio)")
    read = slicerio.read_segmentation(str(path))
    return int(read["voxels"][index(np.diag([-1, -1, 1, 1]) @ read["ijkToLPS"], ras)])


def c3d_at(path, ras):
    c3d = pytest.importorskip("picsl_c3d", reason="picsl-c3d is not installed (pip install picsl-c3d)")
    said = io.StringIO()
    point = "x".join(f"{value:.6f}" for value in ras)
    c3d.Convert3D(out=said).execute(f"-int 0 {path} -probe {point}mm")
    return int(float(re.search(r"is (\S+)", said.getvalue()).group(1)))


def sitk_at(path, ras):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed (pip install SimpleITK)")
    image = sitk.ReadImage(str(path))
    return int(image[image.TransformPhysicalPointToIndex([-float(ras[0]), -float(ras[1]), float(ras[2])])])


def monai_at(path, ras):
    from monai.transforms import LoadImage

    image = LoadImage(image_only=True)(str(path))
    return int(image[index(np.asarray(image.affine), ras)])


def index(matrix, ras):
    """The voxel whose middle lies at a point."""
    return tuple(int(value) for value in np.rint(np.linalg.inv(matrix) @ [*ras, 1])[:3])


READERS = [
    (nibabel_at, "P1_seg.nii.gz"),
    (monai_at, "P1_seg.nii.gz"),
    (c3d_at, "P1_seg.nii.gz"),
    (sitk_at, "P1_seg.nii.gz"),
    (slicerio_at, "P1.seg.nrrd"),
    (c3d_at, "P1.seg.nrrd"),
    (sitk_at, "P1.seg.nrrd"),
    (nibabel_at, "bids/sub-P1/anat/sub-P1_space-orig_desc-tumour_dseg.nii.gz"),
]


@pytest.mark.parametrize(("reader", "name"), READERS, ids=lambda value: getattr(value, "__name__", value))
def test_one_voxel_has_one_label(tmp_path, reader, name):
    for number, matrix in enumerate(GRIDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        formats = ["nifti", "slicer", "bids"]
        write_export(label_map(matrix), scan(matrix), "P1", folder, formats, dialect=BRATS21)
        for voxel, tissue in VOXELS.items():
            expected = 0 if tissue is None else BRATS21.writes[tissue]
            assert reader(folder / name, voxel_to_ras(matrix, voxel)) == expected, (number, voxel)


def test_the_numbers_of_the_label_tables_mean_that_label(tmp_path):
    """ITK-SNAP's and Slicer's tables and BIDS' TSV name the value that stands in the voxel."""
    write_export(label_map(), scan(), "P1", tmp_path, ["itksnap", "slicer", "bids"], dialect=BRATS21)
    rows = (tmp_path / "P1_itksnap.txt").read_text().splitlines()
    snap = {int(row.split()[0]): row.split('"')[1] for row in rows if not row.startswith("#")}
    table = (tmp_path / "P1.ctbl").read_text().splitlines()[3:]
    slicer = {int(row.split()[0]): row.split()[1].replace("_", " ") for row in table}
    (tsv,) = tmp_path.rglob("*_dseg.tsv")
    bids = {int(row.split("\t")[0]): row.split("\t")[1] for row in tsv.read_text().splitlines()[1:]}
    assert snap.pop(0) == "Clear Label"
    assert snap == slicer == bids
    assert bids[4] == "Enhancing tumour"


def test_a_converted_result_is_the_same_voxel_in_its_new_dialect(tmp_path):
    write_result(tmp_path / "in", "P1", "brats2021")
    convert_folder(tmp_path / "in", tmp_path / "out", target="msd", formats=("nifti", "slicer"))
    add_bids(tmp_path / "in")
    ras = voxel_to_ras(affine(), (7, 10, 6))
    assert nibabel_at(tmp_path / "out" / "P1" / "P1_seg.nii.gz", ras) == 3
    assert slicerio_at(tmp_path / "out" / "P1" / "P1.seg.nrrd", ras) == 3
    (dseg,) = (tmp_path / "in" / "bids").rglob("*_dseg.nii.gz")
    assert nibabel_at(dseg, ras) == 4
