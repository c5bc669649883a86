"""Volumes, lesions and sides, each against what was drawn."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from bratsseg.report.measures import Side, count_lesions, locate, measure, middle_plane
from bratsseg.report.planes import View
from bratsseg.study.brain import Brain
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region
from tests.conftest import ball
from tests.report.results import SHAPE, picture_study, tumour

GRID = Grid.of(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0]))
WHOLE = (slice(None), slice(None), slice(None))


def head_at(x: float, shape: tuple[int, int, int] = SHAPE) -> Brain:
    return Brain(ball(shape, (x, shape[1] / 2, shape[2] / 2), 18), WHOLE, "drawn")


def test_volumes_are_voxels_times_the_affine() -> None:
    regions = tumour()
    measures = measure(LabelMap(regions, GRID))
    for channel, region in enumerate(Region):
        assert measures.regions[region].volume_ml == pytest.approx(regions[channel].sum() * 0.008)
    assert measures.largest == {View.AXIAL: 22, View.CORONAL: 33, View.SAGITTAL: 16}


def test_what_was_not_looked_for_is_not_none_found() -> None:
    measures = measure(LabelMap(tumour(radii=(0, 0, 0)), GRID, frozenset({Region.WT})))
    assert measures.regions[Region.WT].assessable
    assert measures.regions[Region.WT].volume_ml == 0
    assert not measures.regions[Region.TC].assessable
    assert measures.regions[Region.TC].volume_ml is None
    assert measures.location is None
    assert measures.largest == {}


def test_lesions_touch_at_a_corner_and_specks_are_counted_apart() -> None:
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[2:6, 2:6, 2:6] = mask[6:10, 6:10, 6:10] = True  # corner to corner: one
    mask[14:18, 2:6, 2:6] = True
    mask[18, 18, 18] = True
    grid = Grid.of(mask.shape, np.eye(4))
    assert count_lesions(mask, grid) == (2, 1)
    assert count_lesions(mask, Grid.of(mask.shape, np.diag([4.0, 4.0, 4.0, 1.0]))) == (3, 0)
    assert count_lesions(mask, Grid(mask.shape, np.eye(4), physical=False)) == (3, 0)
    assert count_lesions(np.zeros_like(mask), grid) == (0, 0)
    fifty = np.zeros((20, 20, 20), dtype=bool)
    fifty[:5, :5, :2] = True
    assert count_lesions(fifty, grid) == (1, 0)  # 50 mm³ counts
    fifty[0, 0, 0] = False
    assert count_lesions(fifty, grid) == (0, 1)


@pytest.mark.parametrize(("i", "side"), [(12, Side.LEFT), (36, Side.RIGHT), (24, Side.MIDLINE)])
def test_the_side_is_the_affines_whatever_the_storage(i: int, side: Side) -> None:
    mask, brain = ball(SHAPE, (i, 28, 22), 4), head_at(23.5).mask
    image = nib.Nifti1Image((mask + 2 * brain).astype(np.uint8), GRID.affine)
    for codes in (("R", "A", "S"), ("L", "P", "S"), ("P", "I", "R"), ("S", "L", "A")):
        start, end = nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
        turned = image.as_reoriented(nib.orientations.ornt_transform(start, end))
        stored = np.asarray(turned.dataobj)
        where = locate(stored % 2 > 0, Grid.of(stored.shape, turned.affine), Brain(stored > 1, WHOLE, "drawn"))
        assert where is not None
        assert where.side is side
        assert where.centroid == pytest.approx((2 * i, 56, 44), abs=1e-6)
        assert "brain" in where.middle


def test_a_tumour_on_both_sides_far_from_the_middle() -> None:
    mask = ball(SHAPE, (10, 28, 22), 4) | ball(SHAPE, (38, 28, 22), 4)
    where = locate(mask, GRID, head_at(24))
    assert where is not None
    assert where.side is Side.BOTH
    assert where.share_right == pytest.approx(0.5)


def test_without_a_brain_the_scans_own_zero_decides_and_is_named() -> None:
    mask, affine = ball(SHAPE, (30, 28, 22), 3), np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -50
    grid = Grid.of(SHAPE, affine)
    with_brain, without = locate(mask, grid, head_at(38)), locate(mask, grid)
    assert with_brain is not None
    assert without is not None
    assert with_brain.side is Side.LEFT
    assert without.side is Side.RIGHT
    assert "x = 0" in without.middle
    from_a_corner = locate(mask, GRID)
    assert from_a_corner is not None
    assert from_a_corner.side is None
    assert from_a_corner.centroid == pytest.approx((60, 56, 44))


def test_a_turned_head_has_a_turned_middle() -> None:
    i, j, k = np.meshgrid(*(np.arange(size) - size / 2 for size in (60, 60, 40)), indexing="ij")
    turned = (i * np.cos(0.3) - j * np.sin(0.3), i * np.sin(0.3) + j * np.cos(0.3), k)
    brain = (turned[0] / 17) ** 2 + (turned[1] / 24) ** 2 + (turned[2] / 13) ** 2 <= 1
    affine = np.eye(4)
    affine[:3, 3] = -30, -30, -20
    grid = Grid.of(brain.shape, affine)
    a, b, c = middle_plane(brain, grid)
    assert (a, b, c) == (pytest.approx(0, abs=0.3), pytest.approx(np.tan(0.3), abs=0.02), pytest.approx(0, abs=0.02))
    front_left = ball(brain.shape, (32, 46, 20), 2)  # right of x = 0, left of the turned middle
    where = locate(front_left, grid, Brain(brain, WHOLE, "drawn"))
    assert where is not None
    assert where.side is Side.LEFT


def test_a_picture_has_counts_and_nothing_else() -> None:
    _, label_map = picture_study()
    measures = measure(label_map)
    whole = measures.regions[Region.WT]
    assert (whole.lesions, whole.specks) == (1, 0)
    assert whole.volume_ml is None
    assert whole.diameters is None
    assert measures.location is None
    assert measures.largest == {View.AXIAL: 22}
    said = measures.as_json()
    assert said["side"] is None
    assert said["regions"]["WT"]["volume_ml"] is None
