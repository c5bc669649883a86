"""The self-test says that a sound machine is sound, and notices one that is not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bratsseg.errors import UsageError
from bratsseg.inference import Segmenter
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.passes import WholePass, WindowPass
from bratsseg.inference.runtime import Runtime
from bratsseg.selftest.agreement import EXACT, check_agreement, compare
from bratsseg.selftest.check import Check, guarded
from bratsseg.selftest.known import known_model
from bratsseg.selftest.memory import check_fallback
from bratsseg.selftest.run import run_checks
from bratsseg.selftest.steps import check_steps
from bratsseg.selftest.subjects import picture_study, volume_study
from bratsseg.study.regions import Region
from tests.flows.conftest import bratsseg

HALF = Runtime("cpu", torch.bfloat16)
SPACING_MM = 3.0


@pytest.fixture(scope="module")
def study():
    return volume_study(0, SPACING_MM)


def test_windows_and_whole_box_agree_with_float32(study, tmp_path):
    for name, passes in {"windows": WindowPass(size=(32, 32, 32)), "whole": WholePass()}.items():
        (check,) = check_agreement(name, known_model(tmp_path / name, passes, SPACING_MM), HALF, study)
        assert check.passed, check
        assert name in check.found


def test_pictures_agree_with_float32():
    (check,) = check_agreement("pictures", ModelFolder.find("default-picture"), HALF, picture_study(0))
    assert check.passed, check


def test_the_known_network_finds_all_three_regions(study, tmp_path):
    found = Segmenter(known_model(tmp_path / "known", WholePass(), SPACING_MM), EXACT).segment(study).label_map
    assert all(found.region(region).sum() > 20 for region in Region)


def test_a_region_that_moved_by_a_voxel_fails_with_an_advice(study):
    exact = Segmenter(ModelFolder.find("flair-threshold"), EXACT).segment(study)
    moved = replace(exact, label_map=replace(exact.label_map, regions=np.roll(exact.label_map.regions, 1, axis=1)))
    check = compare("moved", moved, exact)
    assert check.passed is False
    assert "WT must agree" in check.advice
    assert compare("same", exact, exact).passed


def test_a_box_above_the_tested_size_goes_on_in_windows(study, tmp_path):
    check = check_fallback(HALF, study, SPACING_MM, tmp_path)
    assert check.passed, check
    assert "windows (" in check.found


def test_training_steps_in_bfloat16_follow_float32():
    (check,) = check_steps(2, HALF)
    assert check.passed, check


def test_a_damaged_model_costs_only_its_own_line(study, tmp_path):
    folder = known_model(tmp_path / "known", WholePass(), SPACING_MM)
    (tmp_path / "known" / "weights.safetensors").write_bytes(b"cut short")
    (check,) = guarded("known", lambda: check_agreement("known", folder, HALF, study))
    assert check.passed is False
    assert "sha256" in check.found


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"must be auto.*(cuda:N|no GPU)"):
        next(iter(run_checks("cuda:99")))
    assert bratsseg("selftest", "--device", "cuda:99").code == 2


def test_the_verb_ends_with_1_and_an_advice_when_a_line_failed(monkeypatch):
    lines = [Check("fine", "1.0", "1", True), Check("wrong", "0.1", "1", False, "use the CPU")]
    monkeypatch.setattr("bratsseg.selftest.run_checks", lambda *_, **__: iter(lines))
    ran, as_json = bratsseg("selftest"), bratsseg("selftest", "--json")
    assert (ran.code, as_json.code) == (1, 1)
    assert "use the CPU" in ran.out
    assert "1 of 2 lines failed: wrong" in ran.out
    assert [check["passed"] for check in json.loads(as_json.out)["checks"]] == [True, False]
