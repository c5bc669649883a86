"""Whoever meets a code finds what it means and what to do, and what is advised exists."""

from __future__ import annotations

import re

import typer.main

from bratsseg.cli.main import app
from bratsseg.errors import Code
from bratsseg.refusals import ADVICE
from tests.flows.conftest import bratsseg


def test_every_code_is_described_in_words() -> None:
    told = bratsseg("describe-refusals").out
    assert [line for line in told.splitlines() if not line.startswith(" ")] == [str(code) for code in Code]
    assert all(advice.means.endswith(".") and advice.to_do.endswith(".") for advice in ADVICE.values())


def test_the_table_has_a_row_for_each_and_three_cells() -> None:
    rows = bratsseg("describe-refusals", "--markdown").out.splitlines()
    assert len(rows) == len(Code) + 2
    assert {row.count("|") for row in rows} == {4}


def test_options_that_are_advised_exist() -> None:
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {name for verb in verbs.values() for parameter in verb.params for name in parameter.opts}
    named = {option for advice in ADVICE.values() for option in re.findall(r"--[a-z-]+", advice.to_do)}
    assert named
    assert named <= options | {"--help"}, named - options
