"""Names of scans as hospitals and public collections write them, and the table of words that reads them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.study.modality import Modality, candidates
from bratsseg.study.words import Sense, Word, lexicon, table

FLAIR, T1N, T1C, T2W = Modality
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "zh", "ja")
DENIES = {Sense.WITHOUT, Sense.WEAK_WITHOUT, Sense.BEFORE, Sense.WEAK_BEFORE}
AFFIRMS = {Sense.WITH, Sense.WEAK_WITH, Sense.AFTER, Sense.WEAK_AFTER}


def names() -> list[tuple[str, set[Modality]]]:
    lines = Path(__file__).with_name("names.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    return [(row["name"], {Modality(one) for one in row["modality"].split(",") if one != "-"}) for row in rows]


@pytest.mark.parametrize(("name", "expected"), names(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_name_is_read_as_its_radiologist_meant_it(name: str, expected: set[Modality]) -> None:
    assert candidates(name) == expected


def governing(senses: set[Sense]) -> list[tuple[str, Word]]:
    return [(language, word) for word in table() if word.sense in senses for language in word.language.split()]


def agents(language: str) -> list[str]:
    spoken = [
        word.text for word in table() if word.sense is Sense.AGENT and {language, "any"} & {*word.language.split()}
    ]
    return [word for word in spoken if len(word) > 1]


@given(st.data())
@pytest.mark.parametrize(("senses", "expected"), [(DENIES, T1N), (AFFIRMS, T1C)], ids=["denied", "affirmed"])
def test_any_agent_is_what_the_word_beside_it_says(senses: set[Sense], expected: Modality, data: st.DataObject) -> None:
    language, word = data.draw(st.sampled_from(governing(senses)))
    agent = data.draw(st.sampled_from(agents(language)))
    pair = f"{agent} {word.text}" if word.behind else f"{word.text} {agent}"
    separator = data.draw(st.sampled_from([" ", "_"]))
    name = data.draw(st.sampled_from(["T1 {}", "{} T1", "ax T1 {} 3mm", "T1w tse {}"])).format(pair)
    assert candidates(name.replace(" ", separator)) == {expected}


@given(st.data(), st.sampled_from(["T2", "FLAIR", "T2 FLAIR", "ADC", "SWI"]))
def test_words_about_contrast_leave_other_weightings_alone(data: st.DataObject, weighting: str) -> None:
    about = {*DENIES, *AFFIRMS, Sense.AGENT, Sense.NATIVE, Sense.ENHANCED}
    word = data.draw(st.sampled_from([word.text for word in table() if word.sense in about]))
    assert candidates(f"{weighting} {word}") == candidates(weighting)


def test_every_word_has_one_sense_and_says_where_it_is_from() -> None:
    assert all(word.source.strip() and word.text for word in table())
    assert [word for word in table() if lexicon()[word.text].sense is not word.sense] == []


def test_each_language_can_deny_and_affirm() -> None:
    for senses in (DENIES, AFFIRMS):
        assert {language for language, _ in governing(senses)} >= set(LANGUAGES)
