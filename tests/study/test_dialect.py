from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bratsseg.errors import DialectError, LabelError
from bratsseg.study.dialect import DIALECTS, get_dialect
from bratsseg.study.regions import Region

# value → regions, as the challenges and tools define them
WORKED = {
    "brats2013": {1: "WT TC", 2: "WT", 3: "WT TC", 4: "WT TC ET"},
    "brats2021": {1: "WT TC", 2: "WT", 4: "WT TC ET"},
    "brats2023": {1: "WT TC", 2: "WT", 3: "WT TC ET"},
    "brats2024": {1: "WT TC", 2: "WT", 3: "WT TC ET", 4: ""},
    "brats2024-ped": {1: "WT TC ET", 2: "WT TC", 3: "WT TC", 4: "WT"},
    "msd": {1: "WT", 2: "WT TC", 3: "WT TC ET"},
    "nnunet-brats21": {1: "WT", 2: "WT TC", 3: "WT TC ET"},
    "hd-glio": {1: "WT", 2: "WT TC ET"},
    "whole-tumour": {1: "WT", 255: "WT"},
}


def test_every_dialect_is_worked_by_hand():
    assert WORKED.keys() == DIALECTS.keys()


@pytest.mark.parametrize("name", WORKED)
def test_values_mean_what_their_convention_says(name):
    for value, regions in WORKED[name].items():
        decoded = get_dialect(name).decode(np.array([[[0, value]]]), "case")
        assert " ".join(r for r, channel in zip(Region, decoded, strict=True) if channel[0, 0, 1]) == regions
        assert not decoded[:, 0, 0, 0].any()


nested = hnp.arrays(np.uint8, (3, 4, 2), elements=st.integers(0, 3)).map(
    lambda depth: np.stack([depth >= 1, depth >= 2, depth >= 3])
)


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.expresses == set(Region)])
@given(regions=nested)
def test_decode_undoes_encode(name, regions):
    dialect = get_dialect(name)
    assert np.array_equal(dialect.decode(dialect.encode(regions), "case"), regions)


def test_hd_glio_keeps_what_it_can_express():
    regions = np.array([[[[True]]], [[[True]]], [[[False]]]])
    dialect = get_dialect("hd-glio")
    decoded = dialect.decode(dialect.encode(regions), "case")
    assert decoded[0].all()
    assert Region.TC not in dialect.expresses


@given(regions=nested)
def test_whole_tumour_keeps_what_it_can_express(regions):
    dialect = get_dialect("whole-tumour")
    values = dialect.encode(regions)
    assert set(np.unique(values)) <= {0, 1}
    assert np.array_equal(dialect.decode(values, "case")[0], regions[0])


def test_a_value_of_another_dialect_is_refused_and_named():
    with pytest.raises(LabelError, match=r"anna.*brats2023.*\[4\]"):
        get_dialect("brats2023").decode(np.array([[[0, 4]]]), "anna")


@pytest.mark.parametrize("values", [[0.0, 1.49], [0.0, np.nan], [-1.0, 2.0], [0.0, 700.0]])
def test_what_is_no_label_map_is_refused(values):
    with pytest.raises(LabelError):
        get_dialect("brats2023").decode(np.array([[values]]), "anna")


def test_labels_stored_as_floats_are_rounded():
    assert get_dialect("brats2023").decode(np.array([[[2.9999998]]], dtype=np.float32), "anna")[2].all()


def test_an_unknown_dialect_lists_the_known_ones():
    with pytest.raises(DialectError, match=r"brats2013.*hd-glio"):
        get_dialect("brats1999")
