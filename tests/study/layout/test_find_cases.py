"""Cases of any folder, whatever its layout."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bratsseg.errors import UsageError
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.roles import says_something
from bratsseg.study.visit import tells
from tests.study.layout.test_msd import MSD, msd
from tests.study.layout.test_nnunet import nnunet
from tests.study.scans import FOUR, brats, put, put_json


def test_namesakes_get_their_path_and_others_keep_their_name(tmp_path: Path) -> None:
    put(tmp_path, "a/pat1/flair.nii", "b/pat1/flair.nii", "b/Pat2/flair.nii", "a/pat2/flair.nii", "b/pat3/flair.nii")
    assert [case.id for case in find_cases(tmp_path)] == ["Pat2", "a__pat1", "b__pat1", "pat2", "pat3"]


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_what_is_no_folder_is_wrong_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(UsageError, match=name):
        find_cases(tmp_path / name)


def test_everything_mixed_in_one_folder_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path / "a" / "b", *brats("BraTS2021_00001", "seg"))
    put(tmp_path / "BraTS-GLI-00002-000", *(f"BraTS-GLI-00002-000-{w}.nii.gz" for w in ("t1n", "t1c", "t2w", "t2f")))
    nnunet(tmp_path / "nn", {"channel_names": dict(enumerate(FOUR))})
    put_json(msd(tmp_path / "Task01") / "dataset.json", MSD)
    put(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz", "native/Miller/T1.nii.gz", "native/Miller/T1_POST.nii.gz")
    names = ["BRATS_001", "BraTS-GLI-00002-000", "BraTS2021_00000", "BraTS2021_00001", "Miller", "sub-01"]
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == names
    assert not any(case.problems for case in cases)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.from_regex(r"[A-Za-z]{2,5}[0-9]{1,3}", fullmatch=True), min_size=2, max_size=4, unique_by=str.lower))
def test_any_patient_names_flat_or_nested_are_kept(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    assume(not any(says_something(f"x{case}") for case in ids))  # xaT1_flair: only --layout knows that xaT1 is a name
    assume(all(tells(case) for case in ids))  # fu12 is a visit
    for nested in (True, False):
        root = tmp_path_factory.mktemp("cases")
        for case in ids:
            put(root / case if nested else root, *brats(f"x{case}" if not nested else "scan"))
        wanted = sorted(ids if nested else [f"x{case}" for case in ids])
        assert [case.id for case in find_cases(root)] == wanted


def test_the_order_of_the_file_system_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, *(f"p{n}/{word}.nii" for n in range(4) for word in FOUR), "a/p1/flair.nii")
    before = find_cases(tmp_path)
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path: Path) -> None:
            self.entries = list(scandir(path))
            random.shuffle(self.entries)

        def __enter__(self) -> object:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Shuffled)
    assert find_cases(tmp_path) == before


def test_the_search_is_quick_and_loads_no_torch(tmp_path: Path) -> None:
    put(tmp_path, *(f"BraTS2021_{n:05d}/{name}" for n in range(50) for name in brats(f"BraTS2021_{n:05d}", "seg")))
    start = time.process_time()
    assert len(find_cases(tmp_path)) == 50
    assert (time.process_time() - start) / 50 < 0.02
    code = (
        "import sys, bratsseg.study.layout, bratsseg.study.reading; print({'torch', 'monai', 'itk'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
