from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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


def test_a_hole_in_the_tumour_is_tumour():
    probabilities = two_lesions(0.0, 1)
    probabilities[:, 12, 12, 12] = 0.0
    assert decode(probabilities, REGIONS, 0.001, Decoding(fill_holes=True))[0][12, 12, 12]
    assert not decode(probabilities, REGIONS, 0.001, Decoding(fill_holes=False))[0][12, 12, 12]


def test_nothing_found_is_an_answer():
    assert not decode(np.zeros((3, 4, 4, 4), dtype=np.float32), REGIONS, 0.001, Decoding()).any()


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
