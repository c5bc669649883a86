"""The codes that scripts match on: one of each class, none renamed, all told where they are described."""

from __future__ import annotations

import json
import re

import bratsseg.errors as errors
from bratsseg.errors import BratssegError, CaseError, Code
from bratsseg.study.case import Problem

PUBLISHED = {
    "BratssegError": "error",
    "UsageError": "wrong_use",
    "ConfigError": "config_invalid",
    "ModelError": "model_invalid",
    "DialectError": "dialect_unknown",
    "TrainingError": "training_failed",
    "CaseError": "case_invalid",
    "ReadError": "unreadable",
    "ContentError": "content_invalid",
    "ModalityMissing": "modality_missing",
    "ModalityAmbiguous": "modality_ambiguous",
    "GeometryError": "geometry_invalid",
    "GridMismatch": "grids_differ",
    "NotBrainExtracted": "skull_on",
    "LabelError": "labels_invalid",
    "WriteError": "not_written",
}
KINDS = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, BratssegError)
}


def test_no_code_that_scripts_match_on_was_renamed() -> None:
    assert PUBLISHED.items() <= {name: str(kind.code) for name, kind in KINDS.items()}.items()


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS.values()]
    assert len(set(codes)) == len(codes)
    assert set(codes) <= set(Code)


def test_the_drawn_tree_names_every_error_with_its_code() -> None:
    drawn = re.findall(r"[├└]── (\w+) +(\w+)", errors.__doc__ or "")
    assert dict(drawn) == {name: kind.code for name, kind in KINDS.items() if kind is not BratssegError}


def test_a_problem_raises_as_the_error_it_is_and_stores_as_text() -> None:
    for kind in KINDS.values():
        if issubclass(kind, CaseError):
            raised = Problem(kind, "odd").error_in("Miller")
            assert type(raised) is kind
            assert str(raised) == "case Miller: odd"
            assert json.loads(json.dumps({"code": Problem(kind, "odd").code})) == {"code": kind.code.value}
