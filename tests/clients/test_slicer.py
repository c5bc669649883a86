"""3D Slicer's own Python reader of segmentations, slicerio."""

from __future__ import annotations

import numpy as np
import pytest

from bratsseg.study.dialect import get_dialect
from bratsseg.study.regions import APPEARANCE, Region, Tissue
from tests.exchange.made import affine, label_map, scan, write_export

pytestmark = pytest.mark.client
slicerio = pytest.importorskip("slicerio", reason="slicerio is not installed (pip install slicerio)")
BRATS21 = get_dialect("brats2021")


@pytest.mark.parametrize("matrix", [affine(), affine(flips=(1, 1, 1)), np.diag([-1.0, -1.0, 1.0, 1.0])])
def test_slicer_reads_names_colours_values_codes_and_geometry(tmp_path, matrix):
    write_export(label_map(matrix), scan(matrix), "P1", tmp_path, ["slicer"], dialect=BRATS21)
    read = slicerio.read_segmentation(str(tmp_path / "P1.seg.nrrd"))
    assert np.array_equal(read["voxels"], BRATS21.encode(label_map(matrix).regions))
    assert np.array_equal(np.diag([-1, -1, 1, 1]) @ read["ijkToLPS"], matrix)
    assert read["containedRepresentationNames"] == ["Binary labelmap"]
    by_name = {segment["name"]: segment for segment in read["segments"]}
    for tissue, value in BRATS21.writes.items():
        look, segment = APPEARANCE[tissue], by_name[APPEARANCE[tissue].name]
        assert segment["labelValue"] == value
        assert np.allclose(segment["color"], np.array(look.colour) / 255, atol=1e-6)
        assert segment["terminology"]["type"] == list(look.code)
        assert segment["terminology"]["category"] == ["SCT", "49755003", "Morphologically Altered Structure"]
        assert segment["terminology"]["anatomicRegion"] == ["SCT", "12738006", "Brain"]


def test_slicer_extracts_one_segment_by_its_name(tmp_path):
    write_export(label_map(), scan(), "P1", tmp_path, ["slicer"], dialect=BRATS21)
    read = slicerio.read_segmentation(str(tmp_path / "P1.seg.nrrd"))
    name = APPEARANCE[Tissue.ENHANCING].name
    taken = slicerio.extract_segments(read, [(name, 1)])
    assert np.array_equal(taken["voxels"] == 1, label_map().region(Region.ET))


def test_a_map_without_tumour_still_has_its_segments(tmp_path):
    empty = label_map()
    empty.regions[:] = False
    write_export(empty, scan(), "P1", tmp_path, ["slicer"], dialect=BRATS21)
    read = slicerio.read_segmentation(str(tmp_path / "P1.seg.nrrd"))
    assert len(read["segments"]) == 3
    assert not read["voxels"].any()
