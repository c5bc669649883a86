from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bratsseg.config import parse_config
from bratsseg.errors import ConfigError
from bratsseg.inference.decoding import Decoding, decode
from bratsseg.study.regions import Region
from tests.conftest import ball

REGIONS = tuple(Region)
PLAIN = Decoding(score_share=0.0, confidence=0.0, smallest_wt_ml=0.0, smallest_et_ml=0.0, et_confidence=0.0)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, (3, 6, 5, 4), elements=st.floats(0, 1, width=32)))
def test_regions_are_nested_whatever_the_probabilities(probabilities):
    whole, core, enhancing = decode(probabilities, REGIONS, 0.001, PLAIN)
    assert not (core & ~whole).any()
    assert not (enhancing & ~core).any()


def two_lesions(weak: float, weak_radius: float) -> np.ndarray:
    probabilities = np.zeros((3, 40, 40, 40), dtype=np.float32)
    probabilities[:, ball((40, 40, 40), (12, 12, 12), 8)] = 0.95
    probabilities[:2, ball((40, 40, 40), (30, 30, 30), weak_radius)] = weak
    return probabilities


def test_a_confident_second_focus_stays_and_an_unsure_one_goes():
    rules = Decoding(score_share=0.05, confidence=0.7, smallest_wt_ml=0.1)
    assert decode(two_lesions(0.9, 5), REGIONS, 0.001, rules)[0][30, 30, 30]
    assert not decode(two_lesions(0.6, 5), REGIONS, 0.001, rules)[0][30, 30, 30]


def test_a_speck_goes_by_its_volume_in_millilitres_not_in_voxels():
    rules = Decoding(score_share=0.0, confidence=0.5, smallest_wt_ml=0.1)
    assert not decode(two_lesions(0.9, 2), REGIONS, 0.001, rules)[0][30, 30, 30]
    assert decode(two_lesions(0.9, 2), REGIONS, 0.01, rules)[0][30, 30, 30]


def test_largest_keeps_the_largest_alone():
    whole = decode(two_lesions(0.99, 6), REGIONS, 0.001, Decoding(components="largest"))[0]
    assert whole[12, 12, 12]
    assert not whole[30, 30, 30]


@pytest.mark.parametrize("specks", [199, 200, 3000])
def test_no_number_of_specks_hides_a_tumour(specks):
    probabilities = np.zeros((1, 400, 400, 1), dtype=np.float32)
    places = np.arange(specks)
    probabilities[0, 2 * (places // 190), 2 * (places % 190), 0] = 0.9
    probabilities[0, 200:326, 200:327] = 0.9
    found = decode(probabilities, (Region.WT,), None, Decoding())[0]
    assert np.array_equal(found, (probabilities[0] > 0) & (np.arange(400)[:, None, None] >= 200))


def test_improbable_enhancement_returns_to_the_core():
    probabilities = two_lesions(0.0, 1)
    probabilities[2] *= 0.55 / 0.95
    whole, core, enhancing = decode(probabilities, REGIONS, 0.001, Decoding(et_confidence=0.6))
    assert not enhancing.any()
    assert core[12, 12, 12]
    assert whole[12, 12, 12]


def faint_tumour(sure: int) -> np.ndarray:
    """A ball of .4 with ``sure`` voxels of .8 in it, and one of .4 apart that has none."""
    probabilities = np.zeros((1, 40, 40, 40), dtype=np.float32)
    probabilities[0, ball((40, 40, 40), (12, 12, 12), 6)] = 0.4
    probabilities[0, ball((40, 40, 40), (30, 30, 30), 6)] = 0.4
    probabilities[0, 12, 12, 12 : 12 + sure] = 0.8
    return probabilities


def test_a_faint_tumour_reaches_its_border_from_a_sure_core():
    border, plain = PLAIN.model_copy(update={"wt_border": 0.3, "wt_faint": 0.9}), PLAIN
    whole = decode(faint_tumour(4), (Region.WT,), 0.001, border)[0]
    assert np.array_equal(whole, ball((40, 40, 40), (12, 12, 12), 6)), "all of the one, nothing of the other"
    assert decode(faint_tumour(4), (Region.WT,), 0.001, plain)[0].sum() == 4
    assert not decode(faint_tumour(0), (Region.WT,), 0.001, border)[0].any()


def test_a_sure_part_ends_at_the_threshold_whatever_the_border():
    """The same tumour, surer: what is faint about it stays out; and without cores there is no part to go on from."""
    rules = PLAIN.model_copy(update={"wt_border": 0.3, "wt_faint": 0.8})
    sure = faint_tumour(4)
    sure[sure > 0.7] = 0.9
    assert decode(sure, (Region.WT,), 0.001, rules)[0].sum() == 4
    assert decode(faint_tumour(4), (Region.WT,), 0.001, rules.model_copy(update={"wt_faint": 0.75}))[0].sum() == 4
    every = rules.model_copy(update={"wt_faint": 1.0})
    assert np.array_equal(decode(sure, (Region.WT,), 0.001, every)[0], ball((40, 40, 40), (12, 12, 12), 6))


def test_a_core_must_have_its_volume():
    rules = PLAIN.model_copy(update={"wt_border": 0.3, "wt_faint": 0.9, "wt_core_ml": 0.004})
    assert decode(faint_tumour(4), (Region.WT,), 0.001, rules)[0].any()
    assert not decode(faint_tumour(3), (Region.WT,), 0.001, rules)[0].any()
    assert decode(faint_tumour(1), (Region.WT,), None, rules)[0].any(), "a picture has no millilitres"


def test_a_border_above_the_threshold_is_refused():
    with pytest.raises(ConfigError, match="wt_border must be below the threshold of WT"):
        parse_config(Decoding, {"wt_border": 0.5}, "model small")


def test_specks_of_enhancement_return_to_the_core():
    """Each by its own volume, while the rest of it stays."""
    probabilities = two_lesions(0.0, 1)
    probabilities[2] = 0
    probabilities[2, 10:14, 10:14, 10:14] = 0.9  # 64 voxels
    probabilities[2, 12, 12, 17:19] = 0.9
    rules = PLAIN.model_copy(update={"smallest_et_part_ml": 0.01})
    _, core, enhancing = decode(probabilities, REGIONS, 0.001, rules)
    assert np.array_equal(np.argwhere(enhancing).max(0), [13, 13, 13])
    assert enhancing.sum() == 64
    assert core[12, 12, 17]
    assert core[12, 12, 18]
    assert decode(probabilities, REGIONS, 0.001, PLAIN)[2].sum() == 66
    assert decode(probabilities, REGIONS, 0.01, rules)[2].sum() == 66, ".02 mL are no speck"
    probabilities[2] = 0
    assert not decode(probabilities, REGIONS, 0.001, rules)[2].any()


def test_a_hole_in_the_tumour_is_tumour():
    probabilities = two_lesions(0.0, 1)
    probabilities[:, 12, 12, 12] = 0.0
    assert decode(probabilities, REGIONS, 0.001, Decoding(fill_holes=True))[0][12, 12, 12]
    assert not decode(probabilities, REGIONS, 0.001, Decoding(fill_holes=False))[0][12, 12, 12]


@pytest.mark.parametrize("rules", [Decoding(), Decoding(wt_border=0.3, smallest_et_part_ml=0.1)])
@pytest.mark.parametrize("probability", [0.0, 0.4])
def test_nothing_found_is_an_answer(rules, probability):
    assert not decode(np.full((3, 4, 4, 4), probability, dtype=np.float32), REGIONS, 1.0, rules).any()


def test_a_region_unknown_to_the_model_is_what_nesting_asks():
    """It holds no more than that."""
    whole, core, enhancing = decode(np.full((1, 6, 6, 6), 0.9, dtype=np.float32), (Region.WT,), None, PLAIN)
    assert whole.all()
    assert not core.any()
    assert not enhancing.any()
    probabilities = np.full((2, 6, 6, 6), 0.9, dtype=np.float32)
    probabilities[1, :3] = 0.0
    whole, core, enhancing = decode(probabilities, (Region.WT, Region.ET), None, PLAIN)
    assert enhancing[3:].all()
    assert not enhancing[:3].any()
    assert np.array_equal(core, enhancing)


def test_outer_nesting_grows_the_larger_region():
    """And where all parts are kept, none goes."""
    probabilities = np.zeros((3, 8, 8, 8), dtype=np.float32)
    probabilities[2, 2, 2, 2] = probabilities[1, 5, 5, 5] = probabilities[0, 7, 7, 7] = 0.9
    rules = PLAIN.model_copy(update={"nesting": "outer", "components": "all", "fill_holes": False})
    whole, core, enhancing = decode(probabilities, REGIONS, 0.001, rules)
    assert np.argwhere(whole).tolist() == [[2, 2, 2], [5, 5, 5], [7, 7, 7]]
    assert np.argwhere(core).tolist() == [[2, 2, 2], [5, 5, 5]]
    assert np.argwhere(enhancing).tolist() == [[2, 2, 2]]
    cut = decode(probabilities, REGIONS, 0.001, PLAIN)
    assert [int(region.sum()) for region in cut] == [1, 0, 0]
