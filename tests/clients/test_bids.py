"""The BIDS validator, bids-validator-deno."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bratsseg.exchange import add_bids
from bratsseg.study.dialect import get_dialect
from bratsseg.study.regions import Region
from tests.exchange.made import label_map, scan, write_export, write_result

pytestmark = pytest.mark.client
NAME = "bids-validator-deno"
VALIDATOR = shutil.which(NAME, path=str(Path(sys.executable).parent)) or shutil.which(NAME)
if VALIDATOR is None:
    pytest.skip(f"{NAME} is not installed (pip install {NAME})", allow_module_level=True)


def validate(root: Path) -> dict[str, list[dict[str, str]]]:
    """The validator's issues by severity."""
    done = subprocess.run([VALIDATOR, "--format", "json", str(root)], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    return {level: [issue for issue in issues if issue["severity"] == level] for level in ("error", "warning")}


def test_results_of_a_batch_pass_the_validator(tmp_path):
    for case in ("BraTS-GLI-00001-000", "P_2", "sub-03_ses-pre"):
        write_result(tmp_path, case)
    add_bids(tmp_path)
    found = validate(tmp_path / "bids")
    assert found["error"] == []
    assert {issue["code"] for issue in found["warning"]} <= {"TOO_FEW_AUTHORS"}  # a program has none to name


def test_one_case_with_probabilities_passes_the_validator(tmp_path):
    probabilities = {region: label_map().region(region).astype(np.float32) for region in Region}
    files = write_export(
        label_map(), scan(), "P1", tmp_path, ["bids"], dialect=get_dialect("hd-glio"), probabilities=probabilities
    )
    assert len([file for file in files if "probseg" in file.name]) == 6
    assert validate(tmp_path / "bids")["error"] == []


def test_the_validator_is_awake(tmp_path):
    write_result(tmp_path, "P1")
    add_bids(tmp_path)
    (tmp_path / "bids" / "sub-P1" / "anat" / "nonsense.txt").write_text("no BIDS")
    assert validate(tmp_path / "bids")["error"]
