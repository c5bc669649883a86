from __future__ import annotations

import pytest

from bratsseg.exchange.labels import labels_of
from bratsseg.study.dialect import DIALECTS, get_dialect
from bratsseg.study.regions import APPEARANCE, Region, Tissue


def names(dialect: str, *args, **kwargs) -> dict[int, str]:
    return {label.value: label.name for label in labels_of(get_dialect(dialect), *args, **kwargs)}


def test_values_follow_the_dialect_and_colours_the_one_palette():
    labels = {label.name: label for label in labels_of(get_dialect("brats2021"))}
    for tissue, value in {Tissue.NECROSIS: 1, Tissue.EDEMA: 2, Tissue.ENHANCING: 4}.items():
        look = APPEARANCE[tissue]
        assert (labels[look.name].value, labels[look.name].colour, labels[look.name].code) == (
            value,
            look.colour,
            look.code,
        )
    assert names("msd") == {1: "Edema", 2: "Necrosis and non-enhancing core", 3: "Enhancing tumour"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_names_each_value_it_writes_once(dialect):
    labels = labels_of(get_dialect(dialect))
    assert {label.value for label in labels} == set(get_dialect(dialect).writes.values())
    assert len({label.abbreviation for label in labels}) == len(labels)


def test_what_was_not_looked_for_has_no_name_nor_has_edema():
    assert names("brats2023", {Region.WT}) == {2: "Whole tumour"}
    assert names("brats2023", {Region.WT, Region.ET}) == {
        2: "Whole tumour without enhancing tumour",
        3: "Enhancing tumour",
    }
    assert names("brats2023", {Region.WT, Region.TC}) == {1: "Tumour core", 2: "Edema"}
    assert names("hd-glio") == {1: "Whole tumour without enhancing tumour", 2: "Enhancing tumour"}


def test_values_that_only_others_write_are_named_if_present():
    assert names("brats2024", found={1, 4})[4] == "Not tumour (brats2024 4)"
    assert names("brats2013", found={3})[3] == "Tumour core (brats2013 3)"
    assert 4 not in names("brats2024")
