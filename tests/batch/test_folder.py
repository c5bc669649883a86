from __future__ import annotations

import csv
import os
import shutil
import sys
from pathlib import Path

import pytest

from bratsseg.batch import BatchOptions, segment_folder
from bratsseg.batch.by_hand import case_by_hand, common_name
from bratsseg.errors import UsageError
from bratsseg.inference import Segmenter
from bratsseg.results.records import find_records
from bratsseg.results.staging import Staging
from bratsseg.results.table import rebuild_table
from bratsseg.study.modality import Modality
from tests.flows.conftest import case_names, segment, write_case, write_cases


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (["x/BraTS-GLI-00001-000-t1c.nii.gz", "x/BraTS-GLI-00001-000-t2f.nii.gz"], "BraTS-GLI-00001-000"),
        (["x/sub-01_FLAIR.nii", "x/sub-01_T1w.nii.gz"], "sub-01"),
        (["anna/t1.nii.gz", "anna/t1ce.nii.gz"], "anna"),
        (["x/LPS.nii.gz", "x/LPS.nii.gz"], "LPS"),
        (["x/head.v2.mha"], "head.v2"),
    ],
)
def test_a_study_by_hand_is_called_what_its_files_share(tmp_path: Path, files: list[str], name: str) -> None:
    assert common_name([tmp_path / file for file in files]) == name


def test_a_study_by_hand_wants_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was a folder"):
        case_by_hand({Modality.FLAIR: tmp_path})


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


def test_the_table_can_be_rebuilt_from_the_records_of_many_runs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_cases(tmp_path / "in", 3)
    segment(tmp_path / "in", out, "--limit", 1)
    segment(tmp_path / "in", out, "--only", "*2-000")
    before = (out / "cases.csv").read_text()
    (out / "cases.csv").unlink()
    (out / "notes").mkdir()
    (out / "notes" / "notes.json").write_text('{"of": "the user"}')
    with Staging(out) as staging:
        rebuild_table(staging)
    assert (out / "cases.csv").read_text() == before
    assert [row["case"] for row in csv.DictReader(before.splitlines())] == [case_names(3)[0], case_names(3)[2]]
    assert len(list(find_records(out))) == 2


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
