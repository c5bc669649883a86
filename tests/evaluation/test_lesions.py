from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bratsseg.errors import UsageError
from bratsseg.evaluation.lesion_rules import PRESETS, lesion_rules
from bratsseg.evaluation.lesions import LESION_COLUMNS, lesion_cells, masks_from_regions, score_lesions
from tests.evaluation.challenge_labels import masks_of

ONE_MM = (1.0, 1.0, 1.0)
SHAPE = (40, 30, 20)
GLI_2023, GLI_2024 = lesion_rules("GLI", 2023), lesion_rules("GLI", 2024)
LABELS = arrays(np.uint8, (9, 8, 7), elements=st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3, 4]))


def picture(*blocks: tuple[int, tuple[int, int, int], tuple[int, int, int]]) -> np.ndarray:
    """Label values, block by block: value, first voxel, size."""
    labels = np.zeros(SHAPE, np.uint8)
    for value, start, size in blocks:
        labels[tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))] = value
    return labels


def score(predicted: np.ndarray, truth: np.ndarray, rules=GLI_2023, spacing=ONE_MM):
    return score_lesions(masks_of(predicted, rules), masks_of(truth, rules), spacing, rules)


BIG = (3, (5, 5, 5), (5, 5, 4))
FAR = (3, (25, 5, 5), (5, 5, 4))


def test_one_found_one_missed_one_false() -> None:
    false = (3, (5, 22, 5), (1, 1, 1))
    scores = score(picture(BIG, false), picture(BIG, FAR))["ET"]
    assert (scores.found, scores.missed, scores.false_positives, scores.ignored) == (1, 1, 1, 0)
    assert scores.dice == pytest.approx(1 / 3)
    assert scores.hd95_mm == pytest.approx(2 * 374 / 3)
    assert math.isnan(scores.nsd_05mm)
    rows = [(row.kind, row.number, row.volume_mm3, row.dice, row.hd95_mm, row.matched) for row in scores.lesions]
    assert rows == [
        ("found", 1, 100, 1.0, 0.0, (1,)),
        ("missed", 2, 100, 0.0, 374.0, ()),
        ("false_positive", 2, 1, 0.0, 374.0, (2,)),
    ]


def test_a_row_of_a_table() -> None:
    missed = score(picture(), picture(BIG), GLI_2024)["ET"].lesions[0]
    assert lesion_cells(missed) == ("ET", "1", "missed", "yes", "100", "0", "337", "0", "0", "")
    found = score(picture(BIG), picture(BIG))["ET"].lesions[0]
    assert lesion_cells(found) == ("ET", "1", "found", "yes", "100", "1", "0", "", "", "1")
    assert len(LESION_COLUMNS) == len(lesion_cells(found))


@pytest.mark.parametrize("key", PRESETS)
def test_empty_cases(key: tuple[str, int]) -> None:
    rules = lesion_rules(*key)
    blocks = [(value, (7 * value, 5, 5), (5, 5, 4)) for value in (1, 2, 3, 4)]
    full, nothing = picture(*blocks), picture()
    penalty = rules.penalty_mm or math.hypot(*SHAPE)
    nsd = rules.surface_dice
    for name, both in score(nothing, nothing, rules).items():
        assert (both.dice, both.hd95_mm, both.lesions) == (1.0, 0.0, ()), name
        assert not nsd or both.nsd_05mm == both.nsd_10mm == 1.0
    for predicted, truth in ((full, nothing), (nothing, full)):
        for name, one in score(predicted, truth, rules).items():
            assert (one.dice, one.found) == (0.0, 0), name
            assert one.hd95_mm == pytest.approx(penalty)
            assert not nsd or one.nsd_05mm == one.nsd_10mm == 0.0
            assert one.missed + one.false_positives == len(one.lesions) > 0


def test_small_truth_does_not_count() -> None:
    fifty, more = (3, (5, 5, 5), (5, 5, 2)), (3, (25, 5, 5), (3, 17, 1))
    scores = score(picture(), picture(fifty, more))["ET"]
    assert (scores.missed, scores.ignored, scores.dice) == (1, 1, 0.0)
    alone = score(picture(), picture(fifty))["ET"]
    assert (alone.missed, alone.ignored, alone.dice, alone.hd95_mm) == (0, 1, 1.0, 0.0)
    met_by_small = score(picture(fifty), picture(fifty))["ET"]
    assert (met_by_small.found, met_by_small.false_positives, met_by_small.dice) == (0, 0, 1.0)
    half = score(picture(), picture(more), spacing=(0.5, 1.0, 1.0))["ET"]
    assert half.ignored == 1  # 51 voxels are 25.5 mm³


def test_small_predictions_are_removed_in_2024_only() -> None:
    ten, eleven = (3, (5, 22, 5), (5, 2, 1)), (3, (25, 22, 5), (11, 1, 1))
    assert score(picture(ten, eleven), picture(BIG))["ET"].false_positives == 2
    assert score(picture(ten, eleven), picture(BIG), GLI_2024)["ET"].false_positives == 1


def test_truth_merges_across_a_gap_and_predictions_in_2024_too() -> None:
    near, farther = (3, (16, 5, 5), (5, 5, 4)), (3, (17, 5, 5), (5, 5, 4))  # 6 and 7 voxels from BIG
    assert score(picture(), picture(BIG, near))["ET"].missed == 1
    assert score(picture(), picture(BIG, farther))["ET"].missed == 2
    assert score(picture(BIG, near), picture())["ET"].false_positives == 2
    assert score(picture(BIG, near), picture(), GLI_2024)["ET"].false_positives == 1


def test_edema_of_2024_was_meant_to_be_dilated_five_times() -> None:
    truth = picture((2, (2, 5, 5), (5, 5, 4)), (2, (16, 5, 5), (5, 5, 4)))  # 9 voxels apart
    assert score(picture(), truth, GLI_2024)["SNFH"].missed == 2
    assert score(picture(), truth, lesion_rules("GLI", 2024, official_quirks=False))["SNFH"].missed == 1
    assert lesion_rules("GLI", 2025) == GLI_2024


def test_penalty_of_metastases_is_a_diagonal() -> None:
    spacing = (0.5, 2.0, 3.0)
    as_done, as_meant = (lesion_rules("MET", 2024, official_quirks=quirks) for quirks in (True, False))
    assert score(picture(), picture(BIG), as_done, spacing)["ET"].hd95_mm == pytest.approx(math.hypot(40, 30, 20))
    assert score(picture(), picture(BIG), as_meant, spacing)["ET"].hd95_mm == pytest.approx(math.hypot(20, 60, 60))


# Two enhancing plates, 12 voxels apart, and necrosis between.
LEFT, RIGHT = (3, (4, 5, 5), (2, 10, 6)), (3, (18, 5, 5), (2, 10, 6))


def test_necrosis_joins_the_enhancement_it_touches() -> None:
    bridge = (1, (6, 5, 5), (12, 4, 4))
    assert score(picture(), picture(LEFT, RIGHT), GLI_2024)["ET"].missed == 2
    joined = score(picture(), picture(LEFT, RIGHT, bridge), GLI_2024)["ET"]
    assert joined.missed == 1
    assert joined.lesions[0].volume_mm3 == 240
    # 2023 knows no joining, and the bridge is part of TC in both years.
    assert score(picture(), picture(LEFT, RIGHT, bridge))["ET"].missed == 2
    # Without masks of necrosis nothing joins.
    alone = {"ET": picture(LEFT, RIGHT) == 3}
    assert score_lesions(alone, alone, ONE_MM, GLI_2024)["ET"].found == 2


def test_one_touching_pair_joins_nothing_nor_do_diagonal_corners() -> None:
    one_sided = (1, (6, 5, 5), (5, 4, 4))
    assert score(picture(), picture(LEFT, RIGHT, one_sided), GLI_2024)["ET"].missed == 2
    across_corner = (1, (6, 15, 11), (12, 4, 4))  # meets both plates at a corner of a voxel only
    assert score(picture(), picture(LEFT, RIGHT, across_corner), GLI_2024)["ET"].missed == 2


def test_a_smaller_neighbour_keeps_lesions_apart() -> None:
    """As in the script: both plates touch the bridge, but one touches an earlier necrosis too and goes to that."""
    plates = (3, (14, 4, 5), (10, 2, 6)), (3, (4, 18, 5), (20, 2, 6))
    bridge, earlier = (1, (16, 6, 5), (4, 12, 4)), (1, (2, 18, 5), (2, 2, 6))
    assert score(picture(), picture(*plates, bridge), GLI_2024)["ET"].missed == 1
    assert score(picture(), picture(*plates, bridge, earlier), GLI_2024)["ET"].missed == 2


@pytest.mark.parametrize(
    "rules", [GLI_2023, GLI_2024, lesion_rules("MET", 2024)], ids=lambda r: f"{r.challenge}{r.year}"
)
def test_a_truth_that_fills_the_array(rules) -> None:
    full = np.full((6, 6, 6), 3, np.uint8)
    scores = score(full, full, rules)["ET"]
    assert (scores.found, scores.dice, scores.hd95_mm) == (1, 1.0, 0.0)


@settings(max_examples=15, deadline=None)
@given(LABELS, LABELS, st.sampled_from([(1, 2023), (1, 2024), (0, 2024)]))
def test_air_around_changes_nothing_and_counts_add_up(a: np.ndarray, b: np.ndarray, which: tuple[int, int]) -> None:
    rules = lesion_rules(("MET", "GLI")[which[0]], which[1])
    spacing = (0.9, 1.1, 3.0)
    inside = score(a, b, rules, spacing)
    wider = score(*(np.pad(labels, ((7, 2), (9, 8), (6, 11))) for labels in (a, b)), rules, spacing)
    for name, scores in inside.items():
        truth = [row for row in scores.lesions if row.kind != "false_positive"]
        assert scores.found + scores.missed + scores.ignored == len(truth)
        assert 0 <= scores.dice <= 1
        if rules.penalty_mm is not None:
            assert repr(wider[name]) == repr(scores)  # NaN is not equal to itself
    for scores in score(a, a, GLI_2023, spacing).values():
        assert (scores.missed, scores.dice, scores.hd95_mm) == (0, 1.0, 0.0)


@settings(max_examples=30, deadline=None)
@given(LABELS)
def test_regions_of_any_dialect_score_as_label_values_do(labels: np.ndarray) -> None:
    by_value = masks_of(labels, GLI_2024)
    nested = masks_from_regions(by_value["WT"], by_value["TC"], by_value["ET"], by_value["RC"])
    assert nested.keys() == by_value.keys()
    assert all(np.array_equal(nested[name], mask) for name, mask in by_value.items())


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="GLI 2023"):
        lesion_rules("GLI", 2019)
    small, large = np.zeros((3, 3, 3), np.uint8), np.zeros((4, 3, 3), np.uint8)
    with pytest.raises(ValueError, match="one shape"):
        score(small, large)
    with pytest.raises(ValueError, match="none"):
        score_lesions({"XX": small > 0}, {"XX": small > 0}, ONE_MM, GLI_2023)
