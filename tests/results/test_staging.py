from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.errors import UsageError
from bratsseg.results.staging import PREFIX, Staging


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}4711-abcdef"
    (left / "1").mkdir(parents=True)
    (left / "1" / "x_seg.nii.gz").write_bytes(b"part")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "patient").mkdir()
    with Staging(tmp_path):
        assert not left.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "patient"]


def test_the_folder_of_a_living_run_is_kept(tmp_path: Path) -> None:
    with Staging(tmp_path) as first, first.new_folder() as folder:
        (folder / "file").write_text("on its way")
        with Staging(tmp_path), Staging(tmp_path):
            pass
        assert (folder / "file").read_text() == "on its way"
    assert list(tmp_path.iterdir()) == []


def test_out_below_a_file_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="must be a folder"), Staging(tmp_path / "file" / "out"):
        pass
