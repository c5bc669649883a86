"""The shipped model is as good as when its figures on synthetic patients were stored; a few of them, in seconds."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bratsseg.inference.model import ModelFolder

ROOT = Path(__file__).resolve().parents[2]
STORED: dict[str, Any] = json.loads((ROOT / "tests" / "promises" / "regression.json").read_text(encoding="utf-8"))
AGAIN = "run: .venv/bin/python scripts/regression.py --write  (100 patients; --workers N), and look at what changed"


@pytest.fixture
def regression(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, whose patients and tolerances the stored figures go by."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("regression")


def test_the_stored_figures_are_those_of_the_shipped_model(regression: ModuleType) -> None:
    shipped = ModelFolder.find("default").sha256
    assert STORED["model"]["sha256"] == shipped, f"the figures are of another model than the shipped default; {AGAIN}"
    assert STORED["generator"] == regression.VERSION, f"the figures are of another generator; {AGAIN}"
    for name, value in regression.summary(STORED["patients"]).items():
        assert STORED["summary"][name] == pytest.approx(value, abs=1e-4)


def test_a_few_patients_score_as_stored(regression: ModuleType) -> None:
    if STORED["model"]["sha256"] != ModelFolder.find("default").sha256:
        pytest.skip("the stored figures are of another model, which the test above reports")
    chosen = regression.slice_of(STORED["patients"])
    assert len(chosen) == 3
    for index in chosen:
        subsets = tuple(regression.SUBSETS) if index == chosen[0] else ("four",)
        stored = next(patient for patient in STORED["patients"] if patient["index"] == index)
        changed = regression.differences(stored, regression.figures("default", index, subsets))
        assert changed == [], f"the road or the model changed; if that is meant, {AGAIN}"


def test_only_a_figure_that_changed_beyond_tolerance_is_reported(regression: ModuleType) -> None:
    before = {"index": 7, "four": {"WT": 0.9, "false_positive_ml": 1.0}}
    near = {"index": 7, "four": {"WT": 0.895, "false_positive_ml": 1.05}, "flair_t1ce": {"WT": 0.1}}
    far = {"index": 7, "four": {"WT": 0.7}}
    assert regression.differences(before, near) == []
    told = regression.differences(before, far)
    assert len(told) == 2
    assert "patient 7, four: WT was 0.9, is 0.7" in told
