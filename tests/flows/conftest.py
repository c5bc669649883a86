"""The command line as a user drives it, over small synthetic studies written as real files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import multiprocessing
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from bratsseg.cli.main import main
from bratsseg.study.modality import Modality
from tests.conftest import make_study

MODEL = ("--model", "flair-threshold", "--device", "cpu")
SUFFIXES = {Modality.FLAIR: "t2f", Modality.T1N: "t1n", Modality.T1C: "t1c", Modality.T2W: "t2w"}
# Made once, forked for each run: a child starts with everything imported and no thread running.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["bratsseg.batch", "bratsseg.inference", "bratsseg.cli.main", "tests.flows.conftest"])


@dataclass(frozen=True)
class CommandEnd:
    code: int
    out: str
    err: str


def bratsseg(*words: object) -> CommandEnd:
    """Run the command line here and say how it ended."""
    out, err = io.StringIO(), io.StringIO()
    code, before = 0, sys.argv
    sys.argv = ["bratsseg", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        sys.argv = before
    return CommandEnd(code, out.getvalue(), err.getvalue())


def segment(*words: object) -> CommandEnd:
    return bratsseg("segment", *MODEL, *words)


def child(*words: object, before: Callable[[], None] | None = None) -> multiprocessing.context.ForkServerProcess:
    """The same in a process of its own, started."""
    process = FORKS.Process(target=_in_child, args=(words, before))
    process.start()
    return process


def _in_child(words: tuple[object, ...], before: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job starts without
    if before is not None:
        before()
    sys.exit(segment(*words).code)


def write_case(
    folder: Path,
    case: str,
    seed: int = 0,
    modalities: tuple[Modality, ...] = (Modality.FLAIR, Modality.T1C),
    **shape: Any,
) -> Path:
    """One study in BraTS 2023 names; returns its folder."""
    study = make_study(modalities, seed=seed, **shape)
    (folder / case).mkdir(parents=True, exist_ok=True)
    for modality, volume in study.volumes.items():
        save(folder / case / f"{case}-{SUFFIXES[modality]}.nii.gz", volume.voxels, volume.grid.affine)
    return folder / case


def save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> Path:
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    nib.save(image, path)
    return path


def case_names(count: int) -> list[str]:
    return [f"BraTS-GLI-{number:05d}-000" for number in range(count)]


def write_cases(folder: Path, count: int) -> list[str]:
    for seed, name in enumerate(case_names(count)):
        write_case(folder, name, seed)
    return case_names(count)


def record(out: Path, case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / case / f"{case}.json").read_text())
    return found


def label_map(out: Path, case: str) -> np.ndarray:
    return np.asarray(nib.load(out / case / f"{case}_seg.nii.gz").dataobj)


def hashes(out: Path) -> dict[str, str]:
    """Every label map and probability in OUT by its hash; records hold times and may differ."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*.nii.gz"))
    }


def written_at(out: Path) -> dict[str, int]:
    """When each record was written; asked while a run goes on, whose own folders come and go."""
    found = {}
    for folder in out.iterdir():
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found[folder.name] = (folder / f"{folder.name}.json").stat().st_mtime_ns
    return found


def strays(out: Path) -> list[str]:
    """Everything in OUT that no user asked for."""
    wanted = ("_seg.nii.gz", ".json", "cases.csv", "index.html")
    return [path.name for path in out.rglob("*") if path.is_file() and not path.name.endswith(wanted)] + [
        path.name for path in out.rglob(".*")
    ]


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Two good studies in IN."""
    write_cases(tmp_path / "in", 2)
    return tmp_path / "in"
