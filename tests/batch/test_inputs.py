from __future__ import annotations

import hashlib
import os
from pathlib import Path

from bratsseg.results.records import find_records
from bratsseg.study.reading import Content
from tests.flows.conftest import segment, write_cases
from tests.opens import counted_opens


def test_a_scan_is_read_once_on_its_way_to_a_result(tmp_path: Path) -> None:
    write_cases(tmp_path / "in", 2)
    scans = sorted((tmp_path / "in").rglob("*-t*.nii.gz"))
    with counted_opens() as opened:
        assert segment(tmp_path / "in", tmp_path / "out", "--report").code == 0
    assert {scan.name: opened[scan.resolve()] for scan in scans} == {scan.name: 1 for scan in scans}
    recorded = {file.file: file for _, record in find_records(tmp_path / "out") for file in record.inputs.values()}
    assert {name: file.sha256 for name, file in recorded.items()} == {
        scan.relative_to(tmp_path / "in").as_posix(): hashlib.sha256(scan.read_bytes()).hexdigest() for scan in scans
    }


def test_a_finished_case_is_not_read_again(tmp_path: Path) -> None:
    write_cases(tmp_path / "in", 1)
    scans = sorted((tmp_path / "in").rglob("*-t*.nii.gz"))
    segment(tmp_path / "in", tmp_path / "out")
    with counted_opens() as opened:
        segment(tmp_path / "in", tmp_path / "out")
    assert [opened[scan.resolve()] for scan in scans] == [0] * len(scans), "its size and time say that it is the same"


def test_a_scan_that_changes_while_it_is_read_is_read_anew(tmp_path: Path, monkeypatch) -> None:
    write_cases(tmp_path / "in", 1)
    scan = next((tmp_path / "in").rglob("*-t2f.nii.gz"))
    read = Content.read

    def changing(path: Path) -> Content:
        content = read(path)
        if path == scan:
            os.utime(path, ns=(1, 1))
        return content

    with monkeypatch.context() as during:
        during.setattr(Content, "read", changing)
        segment(tmp_path / "in", tmp_path / "out")
    with counted_opens() as opened:
        segment(tmp_path / "in", tmp_path / "out")
    assert opened[scan.resolve()] == 1, "its time tells that it may have changed, its hash that it did not"
