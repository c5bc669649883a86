"""The command line around the verbs: help, version, exit codes, and what is not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bratsseg import __version__
from tests.flows.conftest import bratsseg

VERBS = ["check", "segment", "evaluate", "synthesize", "train", "models"]


def test_help_names_every_verb_and_each_verb_has_its_own() -> None:
    ended = bratsseg("--help")
    assert ended.code == 0
    assert all(verb in ended.out for verb in VERBS)
    for verb in VERBS:
        assert bratsseg(verb, "--help").code == 0


def test_version() -> None:
    assert bratsseg("--version").out == f"bratsseg {__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["check", "."], ["segment", "nowhere", "out"]])
def test_torch_is_not_imported_for_what_needs_none(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom bratsseg.cli.main import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'torch', 'monai'} & sys.modules.keys()))"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["dance"],
        ["segment"],
        ["segment", "--limit", "0", "in", "out"],
        ["segment", "--flair"],
        ["synthesize", "out", "--cases", "0"],
        ["train", "nothing.yaml", "--out", "run"],
        ["models", "best-ever"],
        ["check", "nowhere"],
    ],
)
def test_wrong_use_ends_with_2_without_a_traceback(words: list[str]) -> None:
    ended = bratsseg(*words)
    assert ended.code == 2
    assert ended.err
    assert "Traceback" not in ended.err


def test_a_working_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "gone").mkdir()
    ended = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD"; exec "$0" -m bratsseg segment in out --device cpu', sys.executable],
        cwd=tmp_path / "gone",
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "the folder that the command was called in is gone" in ended.stderr
