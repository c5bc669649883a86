"""Folders and cases called anything at all: nothing of what is told or done depends on it but the names themselves."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from bratsseg.study.modality import Modality
from tests.conftest import make_study
from tests.flows.conftest import record, save, segment, write_case

MISFITS = (
    "C_\\D",
    "-rf",
    "trail ",
    "dot.",
    "new\nline",
    "esc\x1b[31m",
    "cases.csv",
    "M\udcfcller",
    "Müller",
    "fdp\u202eexe",
)
FITS = (
    "good",
    "[a]*?",
    " lead",
    "Hans\u3000Müller",
    "日本",
    "a,b;c'\"",
    "%s%d",
    "$HOME",
    "T1 Miller",
    "a:b",
    "a<b>|",
    "CON",
    "nul",
)


def write_nan(studies: Path, case: str) -> None:
    voxels = make_study().volumes[Modality.FLAIR].voxels.astype(np.float32)
    voxels[20, 20, 20] = np.nan
    folder = write_case(studies, case)
    save(folder / f"{case}-t2f.nii.gz", voxels, np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.mark.parametrize("name", ["in", "a", "NaN", "scans", "content", "must be"])
def test_what_the_folder_is_called_changes_no_word(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_nan(Path(name), "P1")
    ended = segment(name, "OUT")
    said = record(Path("OUT"), "P1")
    assert said["code"] == "content_invalid"
    assert said["reason"] == "case P1: FLAIR: every voxel must be a number, 1 is NaN or infinite"
    assert said["stage"] == "check"
    assert f"{said['reason'].removeprefix('case P1: ')} (content_invalid)" in ended.err
    segment(name, "SALTED", "--salt", "pepper")
    (salted,) = Path("SALTED").glob("case-*/*.json")
    hidden = record(Path("SALTED"), salted.stem)
    assert hidden["reason"] == said["reason"].replace("P1", salted.stem)
    assert hidden["code"] == "content_invalid"


def test_a_case_that_cannot_be_a_folder_is_refused_alone(tmp_path: Path) -> None:
    for seed, name in enumerate((*MISFITS, *FITS)):
        write_case(tmp_path / "in", name, seed)
    ended = segment(tmp_path / "in", tmp_path / "out")
    assert ended.code == 1
    records = {path.stem: record(tmp_path / "out", path.stem) for path in (tmp_path / "out").glob("*/*.json")}
    assert {name: said["status"] for name, said in records.items() if name in FITS} == dict.fromkeys(FITS, "done")
    refused = [said for name, said in records.items() if name not in FITS]
    assert [said["code"] for said in refused] == ["case_invalid"] * len(MISFITS)
    assert all("rename" in said["reason"] for said in refused)
    assert (tmp_path / "out" / "cases.csv").read_text(encoding="utf-8").count(",refused,") == len(MISFITS)


def test_a_namesake_in_capitals_renames_nobody(tmp_path: Path) -> None:
    write_case(tmp_path / "in", "miller")
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    before = record(tmp_path / "out", "miller")
    write_case(tmp_path / "in", "MILLER", seed=1)
    write_case(tmp_path / "in", "Miller", seed=2)
    ended = segment(tmp_path / "in", tmp_path / "out")
    assert "moved" not in ended.out + ended.err
    assert record(tmp_path / "out", "miller") == before
    assert {record(tmp_path / "out", name)["status"] for name in ("MILLER", "Miller")} == {"done"}


def test_a_spreadsheet_runs_no_id_as_a_formula(tmp_path: Path) -> None:
    names = ["=cmd()", "+1+1", "@SUM(A1)", "+49", "plain", "'quoted"]
    for seed, name in enumerate(names):
        write_case(tmp_path / "in", name, seed)
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    with (tmp_path / "out" / "cases.csv").open(encoding="utf-8", newline="") as stream:
        shown = [row["case"] for row in csv.DictReader(stream)]
    assert sorted(shown) == sorted(["'=cmd()", "'+1+1", "'@SUM(A1)", "+49", "plain", "'quoted"])
    back = [re.sub(r"^'(?=[=+@\t\r-])", "", text) for text in shown]
    assert sorted(back) == sorted(names)
    assert record(tmp_path / "out", "=cmd()")["case"] == "=cmd()"
