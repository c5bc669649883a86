"""A sidecar says what stands in it, and no more."""

from __future__ import annotations

import pytest

from bratsseg.study.modality import Modality, read_name
from bratsseg.study.sidecar import witness_of

FLAIR, T1N, T1C, T2W = Modality


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"EchoTime": 0.09, "InversionTime": 2.5}, {FLAIR}),
        ({"EchoTime": 100, "InversionTime": 2500}, {FLAIR}),
        ({"EchoTime": 0.09}, {T2W, FLAIR}),
        ({"EchoTime": 0.09, "ScanningSequence": "SE"}, {T2W}),
        ({"EchoTime": 0.09, "ScanningSequence": "SE_IR"}, {T2W, FLAIR}),
        ({"EchoTime": 0.003, "InversionTime": 0.9}, {T1N, T1C}),
        ({"EchoTime": 0.003, "ContrastBolusAgent": ""}, {T1N, T1C}),
        ({"EchoTime": 0.003, "ContrastBolusAgent": "Gadovist"}, {T1C}),
        ({"EchoTime": 0.003, "ContrastBolusAgent": "none"}, {T1N}),
        ({"EchoTime": 0.04}, set()),
        ({"SeriesDescription": "t1_mpr_sag", "ContrastBolusAgent": "Dotarem"}, {T1C}),
        ({"SeriesDescription": "t1_mpr_sag"}, {T1N}),
        ({"SeriesDescription": "", "ProtocolName": "T1 nach KM"}, {T1C}),
        ({"SeriesDescription": "ADC", "EchoTime": 0.09}, set()),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"], "EchoTime": 0.003}, set()),
        ({"EchoTime": "?"}, set()),
        ({}, set()),
    ],
)
def test_a_sidecar_is_a_witness(facts: dict[str, object], expected: set[Modality]) -> None:
    assert set(witness_of(facts).claims) == expected


@pytest.mark.parametrize(
    ("name", "facts", "conflict"),
    [
        ("T1_MPRAGE", {"ContrastBolusAgent": "Gadovist"}, True),
        ("T1_MPRAGE", {"ContrastBolusAgent": "none"}, False),
        ("T1_MPRAGE", {}, False),
        ("T1_ohne_KM", {"ContrastBolusAgent": "Gadovist"}, True),
        ("T1", {"SeriesDescription": "AX T1 +C"}, True),
        ("T1_post", {"ContrastBolusAgent": "Gadovist"}, False),
        ("T1_post", {"ContrastBolusAgent": "ohne"}, True),
        ("T1_post", {"SeriesDescription": "t1_mprage_sag"}, False),
        ("T2", {"ContrastBolusAgent": "Gadovist", "EchoTime": 0.09}, False),
        ("T2", {"EchoTime": 0.09, "InversionTime": 2.4}, True),
        ("FLAIR", {"EchoTime": 0.12}, False),
        ("FLAIR", {"EchoTime": 0.01}, True),
        ("T1", {"EchoTime": 0.1}, True),
        ("T1_FLAIR", {"EchoTime": 0.02, "InversionTime": 0.75}, False),
        ("T2", {"SeriesDescription": "ep2d_diff_ADC"}, True),
        ("scan", {"SeriesDescription": "ADC"}, False),
        ("T1", {"ContrastBolusIngredient": "GADOLINIUM"}, True),
        ("T1", {"ContrastBolusVolume": 7.5}, True),
        ("T1", {"ContrastBolusVolume": "8 ml"}, True),
        ("T1", {"SeriesDescription": "t1_mprage_sag", "ProtocolName": "t1_mprage_KM"}, True),
        ("T1", {"ImageType": "DERIVED\\SECONDARY\\SUB"}, True),
        ("T1", {"SeriesDescription": "T1 post stroke"}, False),
        ("T1", {"SeriesDescription": "T1 post xyz"}, False),
        ("T1_KM", {"SeriesDescription": "T1 KM Miller"}, False),
        ("T1_KM", {"SeriesDescription": "t1 nativ", "ContrastBolusAgent": "Gadovist"}, True),
        ("T1_KM", {"SeriesDescription": "t1 nativ", "ProtocolName": "t1 KM"}, True),
        ("T1_KM", {"ContrastBolusAgent": "Saline"}, True),
        ("T1", {"ContrastBolusAgent": "Gadovist", "ContrastBolusVolume": 0}, False),
        ("T1", {"ContrastBolusAgent": "Gadovist Bayer"}, True),
        ("T1", {"EchoTime": float("inf")}, False),
    ],
)
def test_name_and_sidecar_contradict_each_other(name: str, facts: dict[str, object], conflict: bool) -> None:
    assert witness_of(facts).contradicts(read_name(name)) is conflict


@pytest.mark.parametrize(
    "value", [["none"], "-", "NULL", "Not applicable", "withheld", "Saline", "NaCl", "0 ml", 0, False, "ohne KM"]
)
def test_an_entry_that_names_no_agent_fits_a_t1(value: object) -> None:
    assert not witness_of({"ContrastBolusAgent": value}).contradicts(read_name("T1"))


@pytest.mark.parametrize("value", [None, [], {}, "?", True, -1, float("nan"), "0.09"])
def test_odd_entries_say_nothing(value: object) -> None:
    facts = dict.fromkeys(("EchoTime", "InversionTime", "ScanningSequence", "ImageType"), value)
    assert not witness_of(facts).claims
