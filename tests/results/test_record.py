"""Records of cases as they are read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bratsseg.results.record import read_record, record_path
from tests.flows.conftest import case_names, segment, write_cases

NAME = case_names(1)[0]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"bratsseg": {"schema": 1}}', '{"case": "x"}'])
def test_a_record_that_is_none_counts_as_not_done(tmp_path: Path, content: str) -> None:
    (tmp_path / "x").mkdir()
    record_path(tmp_path, "x").write_text(content)
    assert read_record(record_path(tmp_path, "x")) is None


def test_a_record_of_a_later_version_is_not_understood(tmp_path: Path) -> None:
    write_cases(tmp_path / "in", 1)
    segment(tmp_path / "in", tmp_path / "out")
    path = record_path(tmp_path / "out", NAME)
    said = json.loads(path.read_text())
    said["bratsseg"]["schema"] = 2
    path.write_text(json.dumps(said))
    assert read_record(path) is None
