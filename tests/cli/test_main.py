"""The command line around the verbs: help, version, exit codes, and what is not imported."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from bratsseg import __version__
from bratsseg.batch.step import Outcome
from bratsseg.cli import progress
from bratsseg.cli.synthesize import write_patient
from bratsseg.study.layout import find_cases
from bratsseg.synthesis.patient import SyntheticPatient
from tests.flows.conftest import bratsseg, hashes

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


def test_models_are_listed_with_hash_modalities_regions_and_licence() -> None:
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


def _patient() -> SyntheticPatient:
    """A brain of 20 x 30 x 170 voxels whose left, back and lowest ends are marked in T1, with truth at the top."""
    brain = torch.ones((20, 30, 170), dtype=torch.bool)
    images = torch.full((4, 20, 30, 170), 0.5)
    images[1, 0], images[1, :, 0], images[1, :, :, 0] = 1.0, 2.0, 3.0
    regions = torch.zeros((3, 20, 30, 170), dtype=torch.bool)
    regions[:, 5:10, 5:10, 165:] = True
    return SyntheticPatient(images, regions, brain, (1.0, 1.0, 1.0))


def test_a_patient_is_written_the_right_way_round_and_a_tall_one_keeps_its_vertex(tmp_path: Path) -> None:
    folder = write_patient(_patient(), tmp_path, "x", "synthetic")
    image = nib.load(folder / "x-t1n.nii.gz")
    ras = np.asarray(nib.as_closest_canonical(image).dataobj)
    inside = ras[np.ix_(*(np.flatnonzero(ras.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))))]
    assert inside.shape == (20, 30, 155)
    assert (inside[0, 1:] > inside[5, 5, 5]).all()
    assert (inside[:, 0] > inside[0, 5, 5]).all()
    assert (inside[1:, 1:, 0] == inside[5, 5, 5]).all(), "the lowest slices are cut off"
    truth = np.asarray(nib.as_closest_canonical(nib.load(folder / "x-seg.nii.gz")).dataobj)
    assert (truth == 3).sum() == 5 * 5 * 5
    assert (truth == 3)[:, :, -1].any()


def test_the_same_patient_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_patient(_patient(), tmp_path / name, "x", "synthetic")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


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
