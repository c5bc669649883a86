"""Nobody listens, or only in ASCII: the work is done all the same, and no traceback is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import write_case

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="streams: closed by a POSIX shell, /dev/full")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SEGMENT = "segment --model flair-threshold --device cpu in out"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two studies with names that ASCII lacks, one of them unreadable."""
    write_case(tmp_path / "in", "Müller", 0)
    (write_case(tmp_path / "in", "日本", 1) / "日本-t1c.nii.gz").write_bytes(b"")
    return tmp_path


def shell(folder: Path, words: str, **more: str) -> subprocess.CompletedProcess[str]:
    here = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": here, **more}
    command = f"{sys.executable} -m bratsseg {words}"
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("redirection", ["2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_stream_that_nobody_reads_stops_no_batch(folder: Path, redirection: str) -> None:
    ended = shell(folder, f"{SEGMENT} {redirection}")
    assert ended.returncode == 1, "one case is refused"
    assert (folder / "out" / "Müller" / "Müller_seg.nii.gz").is_file()
    assert (folder / "out" / "cases.csv").read_text(encoding="utf-8").count("refused") == 1
    assert "Traceback" not in ended.stdout + ended.stderr


def test_an_ascii_locale_changes_nothing(folder: Path) -> None:
    ended = shell(folder, SEGMENT, **ASCII)
    assert ended.returncode == 1
    assert (folder / "out" / "Müller" / "Müller_seg.nii.gz").is_file()
    assert ended.stderr == "refused 日本: T1ce: 日本-t1c.nii.gz is empty (0 bytes); copy it again (unreadable)\n"
    assert shell(folder, "check in", **ASCII).stdout == shell(folder, "check in").stdout


def test_signs_that_a_stream_lacks_are_shown_by_number(folder: Path) -> None:
    ended = shell(folder, "check in", PYTHONIOENCODING="ascii")
    assert "M\\xfcller  ok" in ended.stdout
    assert "2 cases: 1 fine, 1 with problems" in ended.stdout


def test_output_that_is_lost_is_an_error_a_reader_gone_is_not(folder: Path) -> None:
    full = shell(folder, "check in/Müller >/dev/full")
    assert (full.returncode, full.stderr) == (1, "bratsseg: stdout: not all could be told; No space left on device\n")
    gone = shell(folder, "check in/Müller | true")
    assert (gone.returncode, gone.stderr) == (0, "")
    assert shell(folder, "check in/Müller >&-").returncode == 0
