"""Bad input: a named refusal for that case, and a batch that is done with all the others."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bratsseg.study.modality import Modality
from tests.conftest import make_study
from tests.flows.conftest import (
    bratsseg,
    case_names,
    child,
    hashes,
    record,
    save,
    segment,
    strays,
    write_case,
    write_cases,
    written_at,
)

GOOD, BAD = case_names(2)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def _flair(case: Path) -> Path:
    return case / f"{case.name}-t2f.nii.gz"


def _voxels() -> np.ndarray:
    return np.asarray(make_study().volumes[Modality.FLAIR].voxels)


def _truncated_gz(case: Path) -> None:
    content = _flair(case).read_bytes()
    _flair(case).write_bytes(content[: len(content) // 2])


def _truncated_nii(case: Path) -> None:
    _flair(case).unlink()
    plain = save(case / f"{case.name}-t2f.nii", _voxels(), AFFINE)
    plain.write_bytes(plain.read_bytes()[:-1000])


def _text(case: Path) -> None:
    _flair(case).write_text("this scan has moved\n" * 40)


def _empty_file(case: Path) -> None:
    _flair(case).write_bytes(b"")


def _nan(case: Path) -> None:
    voxels = _voxels().astype(np.float32)
    voxels[20:30, 20:30, 20:30] = np.nan
    save(_flair(case), voxels, AFFINE)


def _all_zero(case: Path) -> None:
    save(_flair(case), np.zeros((48, 56, 44), dtype=np.int16), AFFINE)


def _no_flair(case: Path) -> None:
    _flair(case).unlink()


def _two_t1ce(case: Path) -> None:
    shutil.copy(case / f"{case.name}-t1c.nii.gz", case / f"{case.name}-t1ce.nii.gz")


def _other_grid(case: Path) -> None:
    shifted = AFFINE.copy()
    shifted[0, 3] = 2.1
    save(_flair(case), _voxels(), shifted)


def _two_volumes(case: Path) -> None:
    save(_flair(case), np.stack([_voxels()] * 2, axis=-1), AFFINE)


def _skull(case: Path) -> None:
    noise = np.random.default_rng(0).normal(60, 20, (48, 56, 44)).astype(np.int16)
    for suffix in ("t2f", "t1c"):
        save(case / f"{case.name}-{suffix}.nii.gz", _voxels() + noise + (suffix == "t1c"), AFFINE)


SPOILT = [
    (_truncated_gz, "unreadable"),
    (_truncated_nii, "unreadable"),
    (_text, "unreadable"),
    (_empty_file, "unreadable"),
    (_nan, "content_invalid"),
    (_all_zero, "content_invalid"),
    (_no_flair, "modality_missing"),
    (_two_t1ce, "modality_ambiguous"),
    (_other_grid, "grids_differ"),
    (_two_volumes, "content_invalid"),
    (_skull, "skull_on"),
]


def _name(value: object) -> str:
    return value if isinstance(value, str) else getattr(value, "__name__", "").strip("_")


@pytest.mark.parametrize(("spoil", "code"), SPOILT, ids=_name)
def test_a_bad_case_is_refused_by_name_and_the_batch_is_done(
    tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_cases(studies, 2)
    spoil(studies / BAD)
    ended = segment(studies, out)
    assert ended.code == 1
    said = record(out, BAD)
    assert (said["status"], said["code"]) == ("refused", code)
    assert BAD in said["reason"]
    assert "\n" not in said["reason"]
    assert str(tmp_path) not in said["reason"]
    assert code in ended.out
    assert "Traceback" not in ended.err
    assert record(out, GOOD)["status"] == "done"
    assert list(hashes(out)) == [f"{GOOD}/{GOOD}_seg.nii.gz"]
    with (out / "cases.csv").open() as stream:
        assert [row["status"] for row in csv.DictReader(stream)] == ["done", "refused"]

    before = written_at(out)
    assert segment(studies, out, "--refusals-ok").code == 0
    assert written_at(out) == before, "an unchanged refusal is not computed again"
    write_case(studies, BAD, seed=1)
    for surplus in (studies / BAD).glob("*-t1ce.*"), (studies / BAD).glob("*.nii"):
        for file in surplus:
            file.unlink()
    assert segment(studies, out).code == 0, "a mended case is"


def test_every_verb_refuses_the_same_cases_for_the_same_reasons(tmp_path: Path) -> None:
    studies = tmp_path / "in"
    wrong = {}
    for seed, (spoil, code) in enumerate(SPOILT):
        if code != "modality_missing":  # what a model asks for
            wrong[f"P{seed}_{_name(spoil)}"] = code
            spoil(write_case(studies, f"P{seed}_{_name(spoil)}", seed))
    write_case(studies, "good")
    checked = bratsseg("check", "--voxels", "--json", studies)
    told = {
        case["case"]: {problem["code"] for problem in case["problems"]} for case in json.loads(checked.out)["cases"]
    }
    assert told == {"good": set()} | {case: {code} for case, code in wrong.items()}
    bratsseg("describe-data", studies, "--out", tmp_path / "described")
    with (tmp_path / "described" / "cases.csv").open() as stream:
        described = {row["case"]: row["problems"].split(":")[0] for row in csv.DictReader(stream)}
    assert described == {"good": ""} | wrong
    segment(studies, tmp_path / "out")
    with (tmp_path / "out" / "cases.csv").open() as stream:
        assert {row["case"]: row["code"] for row in csv.DictReader(stream)} == described


def test_a_case_gone_bad_loses_its_old_result(studies: Path, tmp_path: Path) -> None:
    segment(studies, tmp_path / "out", "--probabilities")
    _text(studies / BAD)
    segment(studies, tmp_path / "out", "--probabilities")
    assert [name for name in hashes(tmp_path / "out") if BAD in name] == []


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="bratsseg-public-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def _become_nobody(folder: Path) -> Callable[[], None]:
    """Import everything by segmenting once, then give up every privilege."""
    return _Nobody(folder)


class _Nobody:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self) -> None:
        segment(self._folder / "in", self._folder / "warm", "--only", GOOD)
        os.setgid(65534)
        os.setuid(65534)


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="unreadable file: only root can become nobody")
def test_a_file_that_may_not_be_read_is_refused(public_folder: Path) -> None:
    closed = [place for place in Path(__file__).resolve().parents if not place.stat().st_mode & 0o001]
    if closed:
        pytest.skip(f"unreadable file: only root may enter {closed[0]}, so nobody can load the model")
    write_cases(public_folder / "in", 2)
    _flair(public_folder / "in" / BAD).chmod(0)
    process = child(public_folder / "in", public_folder / "out", before=_become_nobody(public_folder))
    process.join(300)
    assert process.exitcode == 1
    said = record(public_folder / "out", BAD)
    assert (said["status"], said["code"]) == ("refused", "unreadable")
    assert record(public_folder / "out", GOOD)["status"] == "done"
    _flair(public_folder / "in" / BAD).chmod(0o644)
    assert segment(public_folder / "in", public_folder / "out").code == 0, "read rights are no change of the file"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("disk full: mounting a small tmpfs is not allowed here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_fails_the_cases_that_do_not_fit(small_disk: Path, tmp_path: Path) -> None:
    studies, out = tmp_path / "in", small_disk / "out"
    names = write_cases(studies, 10)
    ended = segment(studies, out)
    assert ended.code == 1
    assert "not_written" in ended.out
    assert "Traceback" not in ended.err
    assert strays(out) == []
    done = [name for name in names if (out / name / f"{name}.json").exists() and record(out, name)["status"] == "done"]
    assert 1 <= len(done) < 10
    assert list(hashes(out)) == [f"{name}/{name}_seg.nii.gz" for name in done], "a result without a record is left"
    before = written_at(out)
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    assert segment(studies, out).code == 0
    assert len(hashes(out)) == 10
    assert all(written_at(out)[name] == before[name] for name in done)


def test_bids_names_a_refused_case_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (GOOD, BAD):
        write_case(tmp_path / "in", name)
    _text(tmp_path / "in" / BAD)
    segment(tmp_path / "in", tmp_path / "out", "--formats", "bids")
    (line,) = [told.getMessage() for told in caplog.records if "BIDS" in told.getMessage()]
    assert line.count(f"case {BAD}") == 1
    assert "refused: FLAIR: must be NIfTI" in line
