"""The whole drive of a GPU machine, in miniature on the CPU, in an environment with only what such a machine has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.client
ROOT = Path(__file__).resolve().parents[2]
MOST_FILES, MOST_MIB = 8, 16
"""What such a machine may be allowed to give back."""


def test_the_drive_is_rehearsed_on_the_cpu(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "gpu_rehearse.py"), "--keep", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if "the wheels could not be had" in ran.stderr:
        pytest.skip("pip: no wheels could be downloaded, so there is nothing to pack")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-6000:]
    assert re.search(r"\d MiB  in .*gpu-pack", ran.stdout)
    assert "segments, whole" in ran.stdout
    told = json.loads((tmp_path / "gpu-drive" / "drive.json").read_text())
    assert {piece["name"] for piece in told["pieces"]} == {"imports", "selftest", "making", "bench", "train", "score"}
    assert told["bench"]["3-D, 1 mm"]["cases_a_minute"] > told["bench"]["3-D, 1 mm, MONAI's way"]["cases_a_minute"]
    assert told["scores"].keys() == {"BraTS-SYN-00000-000"}
    home = [path for path in (tmp_path / "gpu-drive").rglob("*") if path.is_file()]
    assert len(home) <= MOST_FILES
    assert all(path.stat().st_size <= MOST_MIB * 2**20 for path in home)
