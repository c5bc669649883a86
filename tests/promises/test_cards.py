"""The cards of the shipped models are whole: what a stranger has to know before trusting them is in them."""

from __future__ import annotations

import re
from itertools import groupby

import pytest

from bratsseg.inference.model import ModelFolder
from bratsseg.inference.shipped import shipped_names

NAMES = sorted(shipped_names())
LEARNT = [name for name in NAMES if ModelFolder.find(name).description.weights]
CASES = [
    *(f"BraTS2021_{number}" for number in ("01476", "01477", "01478", "01479", "01481")),
    "BraTS-GLI-00000-000",
    *(f"brats_2013_pat000{number}_1" for number in (3, 5, 6)),
]


def tables(name: str) -> list[list[list[str]]]:
    """Each table of a card as rows of cells."""
    lines = ModelFolder.find(name).card.splitlines()
    found = [list(rows) for is_table, rows in groupby(lines, lambda line: line.startswith("|")) if is_table]
    return [[row.strip().strip("|").split("|") for row in rows] for rows in found]


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_a_card_have_a_cell_for_every_column(name: str) -> None:
    for table in tables(name):
        assert {len(row) for row in table} == {len(table[0])}, table[0]


@pytest.mark.parametrize("name", LEARNT)
def test_a_card_says_what_the_model_learnt_from_and_is_for(name: str) -> None:
    folder = ModelFolder.find(name)
    text = " ".join(folder.card.split()).lower()
    assert "no patient" in text
    assert "research use only" in text
    assert folder.description.licence.lower() in text


def test_the_card_of_default_has_every_case_and_every_subset() -> None:
    rows = {row[0].strip().strip("*"): row for table in tables("default") for row in table}
    for case in CASES:
        figures = [float(found) for cell in rows[case][2:5] for found in re.findall(r"\d*\.?\d+", cell)[:1]]
        assert len(figures) == 3, case
    assert "flair-threshold" in "".join(rows["case"])
    subsets = [name for name in rows if set(name.split(", ")) <= {"FLAIR", "T1", "T1ce", "T2"}]
    assert len(subsets) == 15
