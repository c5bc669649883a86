"""``bratsseg watch`` as a service: what is dropped is segmented, and SIGTERM ends it cleanly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.flows.conftest import bratsseg, case_names, record, strays, write_cases


def test_a_dropped_study_is_segmented_and_sigterm_ends_it(tmp_path: Path) -> None:
    write_cases(tmp_path / "source", 2)
    drop, out = tmp_path / "drop", tmp_path / "out"
    first, second = case_names(2)
    shutil.copytree(tmp_path / "source" / first, drop / first)
    words = [sys.executable, "-m", "bratsseg", "watch", drop, out, "--model", "flair-threshold", "--device", "cpu"]
    words += ["--settle", "0.2", "--every", "0.1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert next(lines) == f"watching {drop}\n"
    assert next(lines) == f"done {first}\n"
    shutil.copytree(tmp_path / "source" / second, drop / ".on-its-way")
    (drop / ".on-its-way").rename(drop / second)
    assert next(lines) == f"done {second}\n"
    process.send_signal(signal.SIGTERM)
    assert list(lines) == ["told to end; what is finished is kept\n"]
    assert process.wait() == 0
    watchdog.cancel()
    assert record(out, second)["status"] == "done"
    assert strays(out) == []
    assert (out / "cases.csv").read_text().count(",done,") == 2


def test_a_drop_folder_that_is_not_there_or_holds_out_is_refused(tmp_path: Path) -> None:
    assert bratsseg("watch", tmp_path / "none", tmp_path / "out").code == 2
    assert bratsseg("watch", tmp_path, tmp_path / "out").code == 2
