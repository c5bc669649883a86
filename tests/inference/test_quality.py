from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bratsseg.config import parse_config
from bratsseg.errors import ConfigError
from bratsseg.inference import Segmenter
from bratsseg.inference.quality import (
    BAND_VOXELS,
    OVERLOOKED_ML,
    DicePredictor,
    Doubt,
    OverTheBrain,
    QualityRules,
    assess,
    boundary_entropy,
    doubt_of,
    missed_chance,
    modality_drop,
)
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.quality import Answer, ReviewRule, review_first
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study, Volume
from tests.conftest import ball, make_study

SHAPE = (12, 11, 10)
PROBABILITIES = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32))
MASKS = hnp.arrays(np.bool_, SHAPE)
EVERYWHERE = np.ones(SHAPE, dtype=bool)
ML = 0.001


def line(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None, None]


def soft_dice(probability, mask, inside=None):
    return doubt_of(probability, mask, np.ones_like(mask) if inside is None else inside).soft_dice


def test_doubt_by_hand():
    probability, mask = line(0.9, 0.7, 0.3, 0.0), line(1, 1, 0, 0) > 0
    found = doubt_of(probability, mask, np.ones_like(mask))
    assert found.soft_dice == pytest.approx(2 * 1.6 / (1.9 + 2))
    assert found.certainty == pytest.approx(0.8)
    assert found.stability == pytest.approx(1 / 3), "of three above .2 one is above .8"
    assert doubt_of(probability, np.zeros_like(mask), np.ones_like(mask)) is None


def test_a_certain_answer_is_predicted_to_be_right():
    mask = ball(SHAPE, (6, 5, 5), 3)
    found = doubt_of(mask.astype(np.float32), mask, EVERYWHERE)
    assert (found.soft_dice, found.certainty, found.stability, found.boundary_entropy) == (1.0, 1.0, 1.0, 0.0)
    assert missed_chance(OverTheBrain.of(np.zeros(SHAPE, np.float32)), ML) == 0.0


@settings(max_examples=60, deadline=None)
@given(PROBABILITIES, MASKS)
def test_all_figures_lie_between_0_and_1(probability, mask):
    mask[0, 0, 0] = True
    assert all(0.0 <= figure <= 1.0 for figure in vars(doubt_of(probability, mask, EVERYWHERE)).values())
    for voxel_ml in (ML, 0.1, None):
        assert 0.0 <= missed_chance(OverTheBrain.of(probability), voxel_ml) <= 1.0


@settings(max_examples=60, deadline=None)
@given(PROBABILITIES, MASKS, st.floats(0, 1))
def test_predicted_dice_follows_certainty(probability, mask, share):
    """It rises with certainty inside the mask and falls with doubt outside."""
    mask[0, 0, 0] = True
    surer = np.where(mask, probability + (1 - probability) * np.float32(share), probability)
    doubtful = np.where(mask, probability, probability + (1 - probability) * np.float32(share))
    expected = soft_dice(probability, mask)
    assert soft_dice(surer, mask) >= expected - 1e-6
    assert soft_dice(doubtful, mask) <= expected + 1e-6
    assert missed_chance(OverTheBrain.of(doubtful), ML) >= missed_chance(OverTheBrain.of(probability), ML) - 1e-6


def test_predicted_dice_is_near_the_dice_of_drawn_truths():
    """Truths that are drawn from the probabilities; of their Dice the mean."""
    rng = np.random.default_rng(0)
    probability = np.clip(1.2 - np.linalg.norm(np.indices((30, 30, 30)) - 15, axis=0) / 14, 0, 1).astype(np.float32)
    mask = probability > 0.5
    truths = rng.random((200, *mask.shape), dtype=np.float32) < probability
    drawn = [2 * (truth & mask).sum() / (truth.sum() + mask.sum()) for truth in truths]
    assert soft_dice(probability, mask) == pytest.approx(np.mean(drawn), abs=0.002)


def test_a_predictor_as_it_stands_is_the_soft_dice():
    for share in (0.05, 0.3, 0.5, 0.95):
        assert DicePredictor().predict(Doubt(share, 0.1, 0.2, 0.3)) == pytest.approx(share)


def test_a_predictor_by_hand():
    predictor = DicePredictor(intercept=0.5, soft_dice=0.5, certainty=1.0, stability=0.25, boundary_entropy=-2.0)
    odds = 0.5 + 0.5 * np.log(0.8 / 0.2) + np.log(0.9 / 0.1) + 0.25 * np.log(0.6 / 0.4) - 2.0 * 0.5
    assert predictor.predict(Doubt(0.8, 0.9, 0.6, 0.5)) == pytest.approx(1 / (1 + np.exp(-odds)))


def test_a_predictor_in_which_doubt_raises_the_dice_is_refused():
    with pytest.raises(ConfigError, match="boundary_entropy"):
        parse_config(QualityRules, {"predictors": {"WT": {"boundary_entropy": 1.0}}}, "model small")
    with pytest.raises(ConfigError, match="certainty"):
        parse_config(QualityRules, {"predictors": {"WT": {"certainty": -1.0}}}, "model small")


def test_an_empty_mask_is_doubted_as_small_tumours_get_likely():
    probability = np.zeros(SHAPE, np.float32)
    probability[:5, :5, :10] = 0.6  # 250 voxels
    assert missed_chance(OverTheBrain.of(probability), OVERLOOKED_ML / 250) == pytest.approx(0.6)
    assert missed_chance(OverTheBrain.of(probability), OVERLOOKED_ML / 500) == pytest.approx(0.3)
    assert missed_chance(OverTheBrain.of(probability), None) == pytest.approx(0.6), "a picture: its most probable voxel"
    probability[6, 6, 6] = 1.0
    assert missed_chance(OverTheBrain.of(probability), OVERLOOKED_ML / 500) < 0.31, "one voxel is no tumour"


def entropy_by_brute_force(probability, mask, inside):
    """Every voxel within the band's steps of a voxel of the other side, found pair by pair."""
    marked, free = np.argwhere(mask), np.argwhere(~mask)
    bits = []
    for voxel in np.argwhere(inside):
        others = free if mask[tuple(voxel)] else marked
        if np.abs(others - voxel).sum(1).min(initial=99) <= BAND_VOXELS:
            p = float(probability[tuple(voxel)])
            bits.append(0.0 if p in (0.0, 1.0) else -p * np.log2(p) - (1 - p) * np.log2(1 - p))
    return np.mean(bits) if bits else 0.0


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.float32, (7, 6, 5), elements=st.floats(0, 1, width=32)), st.integers(0, 2**32 - 1))
def test_boundary_entropy_equals_brute_force(probability, seed):
    rng = np.random.default_rng(seed)
    mask, inside = rng.random((2, 7, 6, 5)) < np.array([rng.random() * 0.3, 0.8])[:, None, None, None]
    mask[3, 3, 3] = True
    found = boundary_entropy(probability, mask, inside)
    assert found == pytest.approx(entropy_by_brute_force(probability, mask, inside), abs=1e-9)


def test_boundary_entropy_looks_at_the_band_alone():
    mask = ball((40, 40, 40), (20, 20, 20), 10)
    probability = np.where(mask, 1.0, 0.0).astype(np.float32)
    everywhere = np.ones(mask.shape, dtype=bool)
    probability[20, 20, 20] = probability[2, 2, 2] = 0.5  # far inside, far outside
    assert boundary_entropy(probability, mask, everywhere) == 0.0
    assert boundary_entropy(np.full(mask.shape, 0.5, np.float32), mask, everywhere) == 1.0
    assert boundary_entropy(probability, np.zeros_like(mask), everywhere) is None


def test_every_region_is_found_none_found_or_not_assessable():
    whole = ball(SHAPE, (6, 5, 5), 3)
    probability = np.where(whole, 0.9, 0.1).astype(np.float32)
    nothing = np.zeros(SHAPE, dtype=bool)
    found = assess(
        {Region.WT: probability, Region.TC: np.full(SHAPE, 0.25, np.float32)},
        {Region.WT: whole, Region.TC: nothing, Region.ET: nothing},
        EVERYWHERE,
        ML,
    )
    assert [found[region].answer for region in Region] == [Answer.FOUND, Answer.NONE_FOUND, Answer.NOT_ASSESSABLE]
    assert found[Region.TC].boundary_entropy is None
    assert found[Region.TC].predicted_dice is None, "nothing overlaps with nothing"
    assert found[Region.TC].missed_chance == pytest.approx(0.25)
    assert found[Region.WT].missed_chance is None
    assert found[Region.ET].predicted_dice is None
    assert found[Region.ET].missed_chance is None


@pytest.mark.parametrize(("probability", "first"), [(0.1, False), (0.3, True)])
def test_a_tumour_that_may_have_been_missed_is_reviewed_first(probability, first):
    nothing, likely = np.zeros(SHAPE, dtype=bool), np.full(SHAPE, probability, np.float32)
    found = assess({Region.WT: likely}, {Region.WT: nothing}, EVERYWHERE, ML)
    assert review_first(found) is first
    model = QualityRules(review=ReviewRule(missed_above=0.35))
    assert not review_first(assess({Region.WT: likely}, {Region.WT: nothing}, EVERYWHERE, ML, rules=model))


def test_a_model_says_how_dice_is_predicted_and_what_to_review():
    whole = ball(SHAPE, (6, 5, 5), 3)
    probability = np.where(whole, 0.9, 0.0).astype(np.float32)
    given = ({Region.WT: probability}, {Region.WT: whole}, EVERYWHERE, ML)
    assert not review_first(assess(*given))
    assert review_first(assess(*given, rules=QualityRules(review=ReviewRule(below=0.97))))
    doubting = QualityRules(predictors={Region.WT: DicePredictor(intercept=-2.0)})
    assert assess(*given, rules=doubting)[Region.WT].predicted_dice < 0.8
    assert review_first(assess(*given, rules=doubting))


def label_map(*radii: float, assessable: frozenset[Region] = frozenset(Region)) -> LabelMap:
    masks = [ball((30, 30, 30), (15, 15, 15), radius) if radius else np.zeros((30, 30, 30), bool) for radius in radii]
    return LabelMap(np.stack(masks), Grid.of((30, 30, 30), np.eye(4)), assessable)


def test_modality_drop_names_the_modality_that_matters_most():
    answer, same = label_map(8, 5, 0), label_map(8, 5, 0)
    whole_alone = label_map(4, 0, 0, assessable=frozenset({Region.WT}))
    found = modality_drop(answer, {Modality.T1N: same, Modality.T1C: whole_alone})
    large, small = (int(one.region(Region.WT).sum()) for one in (answer, whole_alone))
    assert found[Region.WT].worst == pytest.approx(2 * small / (large + small), abs=1e-4)
    assert found[Region.WT].without is Modality.T1C
    assert found[Region.WT].mean == pytest.approx((1 + found[Region.WT].worst) / 2, abs=1e-4)
    assert found[Region.TC].mean == found[Region.TC].worst == 1.0, "without T1ce the core is not assessable"
    assert found[Region.ET].worst == 1.0, "none found twice is agreement"
    assert modality_drop(answer, {}) == {}


def model_folder(tmp_path, **changes):
    """A model of random weights that does without any modality but needs FLAIR or T2 for whole tumour."""
    modalities = changes.pop("modalities", ["flair", "t1n", "t1c", "t2w"])
    core = [[given, "t1c"] for given in ("flair", "t2w") if given in modalities]
    description = {
        "name": "small",
        "version": "1",
        "summary": "for tests",
        "licence": "Apache-2.0",
        "modalities": modalities,
        "regions": ["WT", "TC", "ET"],
        "needs": {"WT": [needed[:1] for needed in core], "TC": core, "ET": core},
        "network": {"name": "unet", "dims": 2, "in_channels": len(modalities), "out_channels": 3, "widths": [4, 8]},
        "preparation": {"spacing_mm": 3.0, "multiple": 2, **changes},
        "passes": {"kind": "slabs", "slices": 1},
        "decoding": {"smallest_wt_ml": 0.0, "confidence": 0.0},
    }
    (tmp_path / "model.json").write_text(json.dumps(description))
    return tmp_path


@pytest.mark.parametrize("masked", [True, False], ids=["brain from a mask", "brain from the scans"])
@pytest.mark.parametrize("normalisation", ["zscore-brain", "zscore-nonzero", "zscore-picture", "unit", "minmax-slice"])
def test_leaving_a_modality_out_equals_a_study_that_lacks_it(tmp_path, normalisation, masked):
    check_left_out(Segmenter.load(model_folder(tmp_path, normalisation=normalisation), "cpu"), masked, 4)


def test_leaving_a_modality_out_equals_a_study_without_it(tmp_path):
    """Also where a missing channel is shifted after it was set to 0, as pretrained weights want it."""
    folder = model_folder(tmp_path, modalities=["flair", "t1c", "t2w"], normalisation="imagenet")
    check_left_out(Segmenter.load(folder, "cpu"), True, 3)


def check_left_out(segmenter: Segmenter, masked: bool, count: int) -> None:
    study = make_study(tuple(Modality))
    if masked:
        brain = (study.volumes[Modality.FLAIR].voxels > 0).astype(np.uint8)
        study = Study(study.case_id, study.volumes, mask=Volume(brain, study.reference.grid))
    prepared = segmenter.prepare(study)
    assert len(segmenter.can_be_left_out(prepared)) == count
    for modality in segmenter.can_be_left_out(prepared):
        left = Study(study.case_id, {m: v for m, v in study.volumes.items() if m != modality}, mask=study.mask)
        told, lacking = segmenter.without(prepared, modality), segmenter.prepare(left)
        assert torch.equal(told.images, lacking.images)
        assert told.not_assessable == lacking.not_assessable
        one, other = (segmenter.finish(each, segmenter.run(each)) for each in (told, lacking))
        assert np.array_equal(one.label_map.regions, other.label_map.regions)
        assert one.quality == other.quality


def test_the_brain_stays_when_the_scan_that_shows_it_goes(tmp_path):
    """A part of the brain that one scan alone shows is kept when that scan is left out."""
    study = make_study(tuple(Modality))
    wider = study.volumes[Modality.T1C].voxels.copy()
    wider[6:12, 24:32, 18:26] = 100
    study.volumes[Modality.T1C] = Volume(wider, study.reference.grid)
    segmenter = Segmenter.load(model_folder(tmp_path), "cpu")
    prepared = segmenter.prepare(study)
    told = segmenter.without(prepared, Modality.T1C)
    lacking = segmenter.prepare(Study("less", {m: v for m, v in study.volumes.items() if m is not Modality.T1C}))
    assert told.brain is prepared.brain
    assert told.brain.mask.sum() > lacking.brain.mask.sum()


def test_a_study_of_one_scan_has_nothing_to_leave_out(tmp_path):
    segmenter = Segmenter.load(model_folder(tmp_path), "cpu")
    prepared = segmenter.prepare(make_study((Modality.FLAIR, Modality.T1C)))
    assert segmenter.can_be_left_out(prepared) == (Modality.T1C,)
    found = segmenter.finish(prepared, segmenter.run(prepared), segmenter.run_without(prepared)).quality
    assert found[Region.WT].modality_drop_dice is not None
    assert found[Region.WT].modality_drop_dice.without is Modality.T1C
    assert found[Region.TC].modality_drop_dice is None, "without T1ce there is no core to compare"
    alone = segmenter.prepare(make_study((Modality.FLAIR,)))
    assert segmenter.run_without(alone) == {}


def test_the_shipped_model_is_sure_of_an_obvious_lesion(tmp_path):
    segmenter = Segmenter.load("default", "cpu")
    prepared = segmenter.prepare(make_study(tuple(Modality)), force=True)
    found = segmenter.finish(prepared, segmenter.run(prepared), segmenter.run_without(prepared)).quality
    assert set(found) == set(Region)
    for figures in found.values():
        known = figures.predicted_dice if figures.answer is Answer.FOUND else figures.missed_chance
        assert 0 <= known <= 1
    assert found[Region.WT].answer is Answer.FOUND
    assert found[Region.WT].modality_drop_dice is not None
    assert 0 <= found[Region.WT].modality_drop_dice.worst <= found[Region.WT].modality_drop_dice.mean <= 1
