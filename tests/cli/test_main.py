"""The command line around the verbs: help, version, exit codes, and what is not imported."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg import __version__
from bratsseg.batch.work import Outcome
from bratsseg.cli import progress
from bratsseg.study.layout import find_cases
from tests.flows.conftest import bratsseg

SUFFIXES = ("t1n", "t1c", "t2w", "t2f")
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


def test_models_are_listed_with_hash_modalities_and_licence() -> None:
    ended = bratsseg("models")
    assert ended.code == 0
    for word in ("flair-threshold", "sha256", "FLAIR", "WT", "Apache-2.0"):
        assert word in ended.out
    assert '"name": "flair-threshold"' in bratsseg("models", "--json").out
    assert len(bratsseg("models", "flair-threshold").out) > len(ended.out) / 2


def test_synthetic_patients_look_like_brats_2023(tmp_path: Path) -> None:
    assert bratsseg("synthesize", tmp_path, "--cases", 1, "--seed", 0).code == 0
    folder = tmp_path / "BraTS-SYN-00000-000"
    images = {suffix: nib.load(folder / f"{folder.name}-{suffix}.nii.gz") for suffix in (*SUFFIXES, "seg")}
    assert len(list(folder.iterdir())) == 5
    for image in images.values():
        assert image.shape == (240, 240, 155)
        assert np.array_equal(image.affine, [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
        assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 1)
        assert image.get_data_dtype() == np.int16
    tumour = np.asarray(images["seg"].dataobj) > 0
    assert tumour.any()
    assert set(np.unique(np.asarray(images["seg"].dataobj))) <= {0, 1, 2, 3}
    flair = np.asarray(images["t2f"].dataobj)
    assert flair[tumour].mean() > flair[(flair > 0) & ~tumour].mean()
    assert [case.dialect for case in find_cases(tmp_path)] == ["brats2023"]


def test_without_a_terminal_progress_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    with progress.Progress(stream) as shown:
        shown.begin(100)
        for _ in range(30):
            clock[0] += 10
            shown.settled(Outcome("x", "done", "", "", fresh=True))
        shown.settled(Outcome("y", "refused", "skull_on", "still shows skull", fresh=True))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "6 of 100 cases, 10.0 s a case, 0:15:40 left"
    assert len(lines) == 6
    assert lines[-1] == "refused y: still shows skull (skull_on)"


def test_on_a_terminal_progress_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with progress.Progress(stream) as shown:
        shown.begin(2)
        shown.settled(Outcome("x", "done", "", "", fresh=True))
        shown.settled(Outcome("y", "failed", "failed", "why", fresh=True))
    assert "2/2" in stream.getvalue()
    assert "failed y: why (failed)" in stream.getvalue()
