"""Studies that come into a folder piece by piece are taken once each, when nothing of them moves any more."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bratsseg.batch.watching import DropFolder, watch
from tests.flows.conftest import case_names, write_cases

FIRST, SECOND = case_names(2)


class Scanner:
    """A folder of two finished studies, and a drop folder that pieces of them are put into while a clock goes on."""

    def __init__(self, folder: Path) -> None:
        self.source, self.drop, self.now = folder / "source", folder / "drop", 0.0
        write_cases(self.source, 2)
        self.drop.mkdir()
        self.looks = DropFolder(self.drop, 10.0, lambda: self.now)

    def put(self, case: str, end: str, share: float = 1.0) -> None:
        (self.drop / case).mkdir(exist_ok=True)
        content = (self.source / case / f"{case}-{end}.nii.gz").read_bytes()
        (self.drop / case / f"{case}-{end}.nii.gz").write_bytes(content[: int(share * len(content))])

    def after(self, seconds: float) -> list[str]:
        """Who is whole so much later."""
        self.now += seconds
        return [case.id for case in self.looks.whole()]


@pytest.fixture
def scanner(tmp_path: Path) -> Scanner:
    return Scanner(tmp_path)


def test_a_study_is_taken_once_when_it_has_been_still(scanner: Scanner) -> None:
    scanner.put(FIRST, "t2f", share=0.5)
    assert scanner.after(0) == []
    assert scanner.after(9) == []
    scanner.put(FIRST, "t2f")
    assert scanner.after(5) == []
    scanner.put(FIRST, "t1c")
    assert scanner.after(6) == []
    assert scanner.after(9.9) == []
    assert scanner.after(0.1) == [FIRST]
    assert scanner.after(100) == []


def test_a_study_that_comes_later_waits_for_itself_alone(scanner: Scanner) -> None:
    scanner.put(FIRST, "t2f")
    scanner.after(0)
    scanner.put(SECOND, "t2f", share=0.3)
    assert scanner.after(10) == [FIRST]
    scanner.put(SECOND, "t2f")
    assert scanner.after(0) == []
    assert scanner.after(10) == [SECOND]


def test_a_scan_that_is_added_or_touched_makes_it_new(scanner: Scanner) -> None:
    scanner.put(FIRST, "t2f")
    scanner.after(0)
    assert scanner.after(10) == [FIRST]
    scanner.put(FIRST, "t1c")
    assert scanner.after(1) == []
    assert scanner.after(10) == [FIRST]
    os.utime(scanner.drop / FIRST / f"{FIRST}-t1c.nii.gz", (1, 1))
    assert scanner.after(1) == []
    assert scanner.after(10) == [FIRST]


def test_files_on_their_way_under_hidden_names_are_not_seen(scanner: Scanner) -> None:
    shutil.copytree(scanner.source / FIRST, scanner.drop / f".{FIRST}.part")
    assert scanner.after(0) == scanner.after(20) == []
    (scanner.drop / f".{FIRST}.part").rename(scanner.drop / FIRST)
    scanner.after(0)
    assert scanner.after(10) == [FIRST]


def test_watching_hands_on_until_it_is_told_to_end(scanner: Scanner) -> None:
    handed: list[list[str]] = []
    scanner.put(FIRST, "t2f")

    def wait() -> bool:
        scanner.now += 4
        return scanner.now < 20

    watch(scanner.looks, lambda cases: handed.append([case.id for case in cases]), wait)
    assert handed == [[FIRST]]
