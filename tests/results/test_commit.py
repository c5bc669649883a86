"""What makes a case done, and that a kill between any two steps of publishing leaves nothing that lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bratsseg.batch import BatchOptions, segment_cases
from bratsseg.batch.folder import choose_cases
from bratsseg.batch.names import Names
from bratsseg.batch.resume import Fingerprint, is_done
from bratsseg.inference import Segmenter
from bratsseg.results.record import read_record, record_path
from tests.flows.conftest import case_names, segment, write_case, write_cases

NAME = case_names(1)[0]
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")


def test_done_means_same_inputs_model_options_and_outputs_there(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_cases(studies, 1)
    options, segmenter = BatchOptions(), Segmenter.load("flair-threshold", "cpu")
    cases, names = choose_cases(studies, out, options).cases, Names(studies)
    same = Fingerprint(segmenter.folder.sha256, options.result_relevant())
    assert not is_done(cases[0], out, same, names, options)
    segment_cases(cases, studies, out, options, segmenter)
    assert is_done(cases[0], out, same, names, options)
    assert not is_done(cases[0], out, Fingerprint("other", same.options), names, options)
    assert not is_done(cases[0], out, Fingerprint(same.model_sha256, same.options | {"dialect": "msd"}), names, options)
    write_case(studies, NAME, seed=5)
    assert not is_done(cases[0], out, same, names, options)


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
