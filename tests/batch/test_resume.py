"""When a case need not be computed again."""

from __future__ import annotations

from pathlib import Path

from bratsseg.batch import BatchOptions, segment_cases
from bratsseg.batch.folder import choose_cases
from bratsseg.batch.names import Names
from bratsseg.batch.resume import Fingerprint, is_done
from bratsseg.inference import Segmenter
from tests.flows.conftest import case_names, write_case, write_cases

NAME = case_names(1)[0]


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
