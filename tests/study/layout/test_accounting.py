"""Every image file of a folder of studies is used or left out with a reason, and no scan is left out unnoticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bratsseg.study.account import FileKind
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.accounting import account_for
from tests.flows.conftest import bratsseg, case_names, segment, write_cases

NAME = case_names(1)[0]


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    write_cases(tmp_path / "in", 2)
    return tmp_path / "in"


def put(folder: Path, name: str) -> None:
    shutil.copy(next(path for path in folder.rglob("*-t1c.nii.gz")), folder / NAME / name)


def test_a_folder_of_studies_alone_leaves_nothing_out(studies: Path, tmp_path: Path) -> None:
    ended = segment(studies, tmp_path / "out")
    assert ended.code == 0
    assert "IN: 4 image files seen, 4 used" in ended.out


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ADC.nii.gz", FileKind.OTHER),
        ("brainmask.nii.gz", None),
        ("lesion_mask.nii.gz", None),
        ("foo.nii.gz", FileKind.SCAN),
        ("prob_tumour.nii.gz", FileKind.OTHER),
    ],
)
def test_what_else_lies_in_a_case_is_told(studies: Path, tmp_path: Path, name: str, kind: FileKind | None) -> None:
    put(studies, name)
    account = account_for(studies, find_cases(studies))
    assert account.seen == 5
    assert [(item.file, item.kind) for item in account.left_out] == ([] if kind is None else [(f"{NAME}/{name}", kind)])
    ended = bratsseg("check", studies)
    assert ended.code == (1 if kind is FileKind.SCAN else 0)
    assert f"IN: 5 image files seen, {5 - len(account.left_out)} used" in ended.out
    assert segment(studies, tmp_path / "out").code == ended.code
    assert json.loads(bratsseg("check", studies, "--json").out)["files"]["seen"] == 5


def test_names_are_not_told_where_they_are_salted(studies: Path, tmp_path: Path) -> None:
    put(studies, "Miller.nii.gz")
    ended = segment(studies, tmp_path / "out", "--salt", "pepper")
    assert ended.code == 1
    assert "5 image files seen, 4 used, 1 left out" in ended.out
    assert "Miller" not in ended.out + ended.err


def test_files_of_a_refused_study_are_left_out_with_it(studies: Path) -> None:
    put(studies, f"{NAME}-t1c_2.nii.gz")
    shutil.copy(studies / NAME / f"{NAME}-t1c.nii.gz", studies / NAME / "t1c.nii.gz")
    account = account_for(studies, find_cases(studies))
    assert account.seen == 6
    assert account.used == 6 - len(account.left_out)


def test_formats_that_nothing_reads_are_told(studies: Path, tmp_path: Path) -> None:
    (studies / "P9").mkdir()
    for name in ("flair.mgz", "t1ce.nii.bz2"):
        (studies / "P9" / name).write_bytes(b"another format")
    ended = segment(studies, tmp_path / "out")
    assert ended.code == 1
    assert "6 image files seen, 4 used, 2 left out" in ended.out
    assert "P9/flair.mgz: looks like a scan, in a format that is not read; convert it to NIfTI" in ended.out
