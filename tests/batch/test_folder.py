from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from bratsseg.batch import BatchOptions, segment_folder
from bratsseg.inference import Segmenter
from tests.flows.conftest import case_names, segment, write_case, write_cases


def test_from_python(tmp_path: Path) -> None:
    write_cases(tmp_path / "in", 2)
    (tmp_path / "in" / case_names(2)[1] / f"{case_names(2)[1]}-t2f.nii.gz").write_bytes(b"")
    segmenter = Segmenter.load("flair-threshold", "cpu")
    summary = segment_folder(tmp_path / "in", tmp_path / "out", BatchOptions(), segmenter)
    assert [outcome.case for outcome in summary.outcomes] == case_names(2)
    assert (summary.count("done"), summary.count("refused"), summary.computed) == (1, 1, 2)
    assert summary.reasons() == [("refused", "unreadable", 1)]
    assert not summary.all_done
    again = segment_folder(tmp_path / "in", tmp_path / "out", BatchOptions(), segmenter)
    assert again.computed == 0


class _Broken(Segmenter):
    """A model that has a bug, or a machine that has no memory left, on every second case."""

    calls = 0

    def run(self, prepared: object) -> object:  # type: ignore[override]
        self.calls += 1
        if self.calls % 2:
            raise MemoryError if self.calls == 1 else RuntimeError(f"bad kernel\nin {self.calls}")
        return super().run(prepared)  # type: ignore[arg-type]


def test_a_fault_of_ours_fails_the_case_alone_and_is_tried_again(tmp_path: Path) -> None:
    write_cases(tmp_path / "in", 4)
    summary = segment_folder(tmp_path / "in", tmp_path / "out", BatchOptions(), _Broken.load("flair-threshold", "cpu"))
    assert [(outcome.status, outcome.code) for outcome in summary.outcomes] == [("failed", "failed"), ("done", "")] * 2
    assert [outcome.reason for outcome in summary.outcomes][::2] == ["MemoryError", "RuntimeError: bad kernel in 3"]
    healthy = Segmenter.load("flair-threshold", "cpu")
    again = segment_folder(tmp_path / "in", tmp_path / "out", BatchOptions(), healthy)
    assert again.all_done
    assert [outcome.fresh for outcome in again.outcomes] == [True, False, True, False]


@pytest.mark.skipif(sys.platform != "linux", reason="file names that are no text: only where the system allows them")
def test_a_folder_name_in_an_old_encoding_is_no_obstacle(tmp_path: Path) -> None:
    folder = write_case(tmp_path / "in", "patient")
    renamed = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/M\xfcller"))
    shutil.move(folder, renamed)
    for file in list(renamed.iterdir()):
        file.rename(renamed / file.name.replace("patient-", ""))
    ended = segment(tmp_path / "in", tmp_path / "out")
    assert ended.code == 0, ended.err
    assert (tmp_path / "out" / "Müller" / "Müller_seg.nii.gz").exists()
