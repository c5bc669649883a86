"""ITK-SNAP's own converter, picsl-c3d."""

from __future__ import annotations

import io
import re

import nibabel as nib
import numpy as np
import pytest

from bratsseg.exchange import convert_folder
from bratsseg.study.dialect import get_dialect
from tests.exchange.made import affine, label_map, scan, write_export

pytestmark = pytest.mark.client
picsl_c3d = pytest.importorskip("picsl_c3d", reason="picsl-c3d is not installed (pip install picsl-c3d)")
BRATS21 = get_dialect("brats2021")


def c3d(command: str) -> str:
    said = io.StringIO()
    picsl_c3d.Convert3D(out=said).execute(command)
    return said.getvalue()


@pytest.mark.parametrize("name", ["P1_seg.nii.gz", "P1.seg.nrrd"])
@pytest.mark.parametrize("matrix", [affine(), affine(flips=(1, 1, 1)), np.diag([-1.0, -1.0, 1.0, 1.0])])
def test_c3d_agrees_on_volumes_and_orientation(tmp_path, name, matrix):
    write_export(label_map(matrix), scan(matrix), "P1", tmp_path, ["nifti", "slicer"], dialect=BRATS21)
    rows = [line.split() for line in c3d(f"{tmp_path / name} -dup -lstat").splitlines() if line.strip()[:1].isdigit()]
    found = {int(row[0]): (int(row[5]), float(row[6])) for row in rows}
    values = BRATS21.encode(label_map(matrix).regions)
    voxel_mm3 = 1000 * (label_map(matrix).grid.voxel_ml or 0)
    for value in (1, 2, 4):
        count = int((values == value).sum())
        assert found[value][0] == count
        assert found[value][1] == pytest.approx(count * voxel_mm3, rel=1e-4)
    code = re.search(r"orient = (?:Oblique, closest to )?(\w{3})", c3d(f"{tmp_path / name} -info")).group(1)
    from_where = dict(zip("RLAPSI", "LRPAIS", strict=True))  # ITK-SNAP names an axis by where it starts
    assert code == "".join(from_where[letter] for letter in label_map(matrix).grid.orientation)


def test_a_metaimage_label_map_of_c3d_is_converted_on_its_grid(tmp_path):
    write_export(label_map(), scan(), "P1", tmp_path, ["nifti"], dialect=BRATS21)
    (tmp_path / "in").mkdir()
    c3d(f"{tmp_path / 'P1_seg.nii.gz'} -type uchar -o {tmp_path / 'in' / 'P1_seg.mha'}")
    convert_folder(tmp_path / "in", tmp_path / "out", source="brats2021", target="brats2023")
    result = nib.load(tmp_path / "out" / "P1_seg.nii.gz")
    assert np.array_equal(np.asarray(result.dataobj), get_dialect("brats2023").encode(label_map().regions))
    assert np.allclose(result.affine, affine(), atol=1e-4)
