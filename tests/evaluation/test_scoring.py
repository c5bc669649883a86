from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bratsseg.errors import GridMismatch
from bratsseg.evaluation.lesion_rules import lesion_rules
from bratsseg.evaluation.scoring import score_case
from bratsseg.evaluation.summary import spread, summarise
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region

GRID = Grid.of((10, 10, 10), np.diag([2.0, 2.0, 5.0, 1.0]))  # a voxel is .02 mL


def nested(whole: slice, core: slice, enhancing: slice, grid: Grid = GRID) -> LabelMap:
    """Columns along I in the middle of the grid."""
    regions = np.zeros((3, *grid.shape), dtype=bool)
    for channel, part in enumerate((whole, core, enhancing)):
        regions[channel, part, 5, 5] = True
    return LabelMap(regions, grid)


NONE = slice(0, 0)


def test_a_case_by_hand():
    scores = score_case(nested(slice(0, 4), slice(0, 2), NONE), nested(slice(2, 6), slice(2, 3), NONE))
    whole, core, enhancing = (scores.regions[region] for region in Region)
    assert whole.dice == 0.5
    assert whole.sensitivity == whole.precision == 0.5
    assert whole.predicted_ml == pytest.approx(0.08)
    # From 0,1,2,3 to 2..5 the distances are 4,2,0,0 mm: their 95th percentile is 2 + .85 * 2.
    assert whole.hd95_mm == pytest.approx(3.7)
    assert core.dice == 0.0
    assert core.reference_ml == pytest.approx(0.02)
    assert math.isnan(whole.false_positive_ml)
    assert (enhancing.dice, enhancing.hd95_mm, enhancing.false_positive_ml) == (1.0, 0.0, 0.0)
    assert math.isnan(enhancing.sensitivity)


def test_a_prediction_where_the_reference_has_none():
    found = score_case(nested(slice(0, 4), slice(0, 3), slice(0, 3)), nested(slice(0, 4), slice(0, 3), NONE))
    enhancing = found.regions[Region.ET]
    assert enhancing.dice == 0.0
    assert enhancing.false_positive_ml == pytest.approx(0.06)
    assert math.isnan(enhancing.hd95_mm)
    assert enhancing.reference_empty
    assert not enhancing.predicted_empty


def test_nothing_in_either():
    scores = score_case(nested(NONE, NONE, NONE), nested(NONE, NONE, NONE))
    assert all(score.dice == 1.0 and score.hd95_mm == 0.0 for score in scores.regions.values())


def test_a_region_that_one_side_cannot_show_is_left_out():
    ours = replace(nested(slice(0, 4), NONE, NONE), assessable=frozenset({Region.WT}))
    theirs = replace(nested(slice(0, 4), slice(0, 2), NONE), assessable=frozenset({Region.WT, Region.ET}))
    scores = score_case(ours, theirs)
    assert set(scores.regions) == {Region.WT}
    assert scores.not_assessable == (Region.TC, Region.ET)


def test_a_picture_has_no_millimetres():
    flat = Grid.of((10, 10, 10), np.eye(4), physical=False)
    scores = score_case(nested(slice(0, 4), NONE, NONE, flat), nested(slice(0, 2), NONE, NONE, flat))
    whole = scores.regions[Region.WT]
    assert whole.dice == pytest.approx(2 / 3)
    assert math.isnan(whole.hd95_mm)
    assert math.isnan(whole.predicted_ml)


@pytest.mark.parametrize("other", [Grid.of((10, 10, 9), GRID.affine), Grid.of(GRID.shape, np.diag([-2.0, 2, 5, 1]))])
def test_two_grids_are_refused(other):
    with pytest.raises(GridMismatch, match="must share one grid"):
        score_case(nested(NONE, NONE, NONE), nested(NONE, NONE, NONE, other))


def test_a_spread_by_hand():
    found = spread([1.0, 2.0, float("nan"), 6.0])
    assert (found.cases, found.undefined, found.mean, found.median) == (3, 1, 3.0, 2.0)
    assert found.sd == pytest.approx(math.sqrt(7.0))
    assert found.mean_ci95 is not None
    assert 1.0 <= found.mean_ci95[0] < 3.0 < found.mean_ci95[1] <= 6.0
    assert spread([4.0]).sd is None
    assert spread([]).mean is None
    assert spread([float("nan")]).undefined == 1


def test_a_summary_tells_present_from_absent_and_counts_the_rest():
    truth, without = nested(slice(0, 4), slice(0, 4), slice(0, 4)), nested(slice(0, 4), slice(0, 4), NONE)
    unseen = replace(truth, assessable=frozenset({Region.WT}))
    cases = (score_case(truth, truth), score_case(truth, without), score_case(unseen, truth))
    summary = summarise(dict(zip("abc", cases, strict=True)))
    enhancing = summary.regions[Region.ET]
    assert (summary.scored, enhancing.assessed, enhancing.not_assessable) == (3, 2, 1)
    assert enhancing.vol_dice.mean == 0.5
    assert enhancing.vol_dice_where_present.mean == 1.0
    assert enhancing.false_positive_ml.mean == pytest.approx(0.08)
    assert (enhancing.hd95_mm.cases, enhancing.hd95_mm.undefined) == (1, 1)
    assert summary.regions[Region.WT].assessed == 3


def test_a_summary_of_nothing_has_no_means():
    assert summarise({}).regions[Region.WT].vol_dice.mean is None


def test_every_metric_of_a_region_by_hand():
    """64 voxels: 8 in the reference, 8 predicted, 4 in both; voxels of 1 mm."""
    grid = Grid.of((4, 4, 4), np.eye(4))
    theirs, ours = np.zeros((2, 3, 4, 4, 4), dtype=bool)
    theirs[:, :2, :2, :2] = True
    ours[:, 1:3, :2, :2] = True
    found = score_case(LabelMap(ours, grid), LabelMap(theirs, grid)).regions["WT"]
    assert (found.dice, found.iou) == (0.5, 4 / 12)
    assert (found.sensitivity, found.precision, found.specificity) == (0.5, 0.5, 52 / 56)
    assert (found.volume_difference_ml, found.missed) == (0.0, False)
    assert (found.nsd_1mm, found.nsd_2mm) == (1.0, 1.0)
    assert found.pixels.everywhere.true_negative == 52


def test_the_cavity_is_scored_where_both_maps_have_it():
    """It joins lesions as the rules of 2024 say."""
    grid = Grid.of((20, 20, 20), np.eye(4))
    regions = np.zeros((3, 20, 20, 20), dtype=bool)
    regions[:, 2:7, 2:7, 2:7] = True
    cavity = np.zeros((20, 20, 20), dtype=bool)
    cavity[10:15, 10:15, 10:15] = True
    moved = np.roll(cavity, 1, axis=0)
    truth = LabelMap(regions, grid)
    found = score_case(truth, truth, lesion_rules("GLI", 2024), (moved, cavity))
    assert list(found.regions) == ["WT", "TC", "ET", "RC"]
    assert found.regions["RC"].dice == pytest.approx(0.8)
    assert set(found.lesions) == {"WT", "TC", "ET", "NETC", "SNFH", "RC"}
    assert found.lesions["RC"].dice == pytest.approx(0.8)
    assert "RC" in summarise({"a": found}).regions
    assert "RC" not in score_case(truth, truth).regions
