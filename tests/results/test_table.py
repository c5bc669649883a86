"""The table of all records."""

from __future__ import annotations

import csv
from pathlib import Path

from bratsseg.results.records import find_records
from bratsseg.results.staging import Staging
from bratsseg.results.table import rebuild_table
from tests.flows.conftest import case_names, segment, write_cases


def test_the_table_can_be_rebuilt_from_the_records_of_many_runs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_cases(tmp_path / "in", 3)
    segment(tmp_path / "in", out, "--limit", 1)
    segment(tmp_path / "in", out, "--only", "*2-000")
    before = (out / "cases.csv").read_text()
    (out / "cases.csv").unlink()
    (out / "notes").mkdir()
    (out / "notes" / "notes.json").write_text('{"of": "the user"}')
    with Staging(out) as staging:
        rebuild_table(staging)
    assert (out / "cases.csv").read_text() == before
    assert [row["case"] for row in csv.DictReader(before.splitlines())] == [case_names(3)[0], case_names(3)[2]]
    assert len(list(find_records(out))) == 2
