from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.batch.names import Names, plain
from bratsseg.errors import UsageError
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality


def _case(root: Path, case_id: str = "Smith", name: str = "Smith_flair.nii.gz") -> Case:
    return Case(case_id, {Modality.FLAIR: VolumeSource(root / "ward 7" / case_id / name)})


def test_without_a_salt_names_are_the_users_and_paths_are_below_the_root(tmp_path: Path) -> None:
    names, case = Names(tmp_path), _case(tmp_path)
    assert names.case_id(case) == "Smith"
    assert names.file(case.sources[Modality.FLAIR].path) == "ward 7/Smith/Smith_flair.nii.gz"
    said = f"case Smith:\n {tmp_path}/ward 7/Smith/Smith_flair.nii.gz is cut short"
    assert names.clean(said, case) == "case Smith: ward 7/Smith/Smith_flair.nii.gz is cut short"


def test_with_a_salt_no_part_of_a_name_is_left(tmp_path: Path) -> None:
    names, case = Names(tmp_path, "pepper"), _case(tmp_path)
    said = f"case Smith: 'Smith_flair.nii.gz' in {tmp_path}/ward 7/Smith, 2.1 mm from Jones_t1.nii.gz"
    cleaned = names.clean(said, case)
    for word in ("Smith", "ward", "Jones", str(tmp_path)):
        assert word not in cleaned
    assert "2.1 mm" in cleaned
    assert names.case_id(case) in cleaned
    assert "Smith" not in names.file(case.sources[Modality.FLAIR].path)


def test_a_number_as_id_does_not_eat_measures(tmp_path: Path) -> None:
    case = _case(tmp_path, "1", "flair.nii.gz")
    assert "2.1 mm" in Names(tmp_path, "pepper").clean("case 1: grids lie 2.1 mm apart", case)


def test_the_same_salt_gives_the_same_names_and_another_gives_others(tmp_path: Path) -> None:
    case = _case(tmp_path)
    assert Names(tmp_path, "a").case_id(case) == Names(tmp_path / "moved", "a").case_id(case)
    assert Names(tmp_path, "a").case_id(case) != Names(tmp_path, "b").case_id(case)


@pytest.mark.parametrize("case_id", ["", ".", "..", "a/../b", "/etc", "a\\b"])
def test_an_id_that_would_leave_out_is_refused(tmp_path: Path, case_id: str) -> None:
    with pytest.raises(UsageError, match="folder name"):
        Names(tmp_path).case_id(_case(tmp_path, case_id))


@given(st.binary(max_size=20))
def test_any_file_name_becomes_text_that_can_be_written(name: bytes) -> None:
    text = plain(os.fsdecode(name))
    assert all(sign.isprintable() for sign in text)
    text.encode("utf-8")


def test_hospital_umlauts_in_an_old_encoding_stay_apart() -> None:
    assert plain(os.fsdecode(b"M\xfcller")) == "Müller"
    assert plain("Müller") == "Müller"
