"""Splits: by patient, the same each time, and refused when they leak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.errors import ConfigError
from bratsseg.training.split import (
    Split,
    SplitConfig,
    make_split,
    read_patients,
    read_split,
    settle_split,
    whose,
    write_split,
)

PATIENTS = {f"BraTS-GLI-{n // 2:05d}-{n % 2:03d}": f"BraTS-GLI-{n // 2:05d}" for n in range(24)}


def test_a_table_of_patients_wins(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("case,patient\nanna-1,anna\nanna-2,anna\n2019-01-11,bert\nP2__preop,\n")
    cases = ["anna-1", "anna-2", "2019-01-11", "P2__preop", "P2__postop"]
    assert list(whose(cases, read_patients(table)).values()) == ["anna", "anna", "bert", "P2", "P2"]
    table.write_text("id,who\na,b\n")
    with pytest.raises(ConfigError, match="columns case and patient"):
        read_patients(table)


def test_ids_of_visits_alone_are_refused_with_what_to_do() -> None:
    with pytest.raises(
        ConfigError, match=r"2019-01-11, 2020-01-11 are named after visits alone.*data\.split\.patients"
    ):
        whose(["2019-01-11", "P1__2019-01-11", "2020-01-11"])


def test_visits_of_one_patient_cannot_be_split() -> None:
    patients = whose(["clinic__2019-01-11", "clinic__2020-01-11", "clinic__2021-01-11"])
    with pytest.raises(ConfigError, match=r"all cases are of clinic: .*data\.split\.patients"):
        make_split(patients, SplitConfig(), 0, 0)


@given(count=st.integers(4, 60), folds=st.integers(2, 8), seed=st.integers(0, 99), test=st.sampled_from([0.0, 0.2]))
def test_folds_cover_all_once_and_no_patient_is_on_both_sides(count: int, folds: int, seed: int, test: float) -> None:
    patients = {f"c{n}": f"p{n // 2}" for n in range(count)}
    config = SplitConfig(folds=folds, test_share=test)
    _, made, _ = make_split(patients, config, 0, seed) if count > 5 else (None, 0, ())
    held_out: list[str] = []
    for fold in range(made):
        split, _, _ = make_split(patients, config, fold, seed)
        sides = [{patients[case] for case in part} for part in (split.train, split.validation, split.test)]
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
        assert sorted((*split.train, *split.validation, *split.test)) == sorted(patients)
        held_out += [*split.validation]
        assert split == make_split(patients, config, fold, seed)[0]
    if made:
        assert sorted((*held_out, *split.test)) == sorted(patients)


def test_fewer_patients_than_folds_is_said_aloud() -> None:
    split, folds, notes = make_split({"a": "a", "b": "b", "c": "c"}, SplitConfig(folds=5), 2, 0)
    assert folds == 3
    assert "3 patients make 3 folds, not the 5 asked for" in notes[0]
    assert len(split.validation) == 1
    with pytest.raises(ConfigError, match="below 3"):
        make_split({"a": "a", "b": "b", "c": "c"}, SplitConfig(folds=5), 3, 0)


def test_shares_of_patients() -> None:
    split, folds, _ = make_split(PATIENTS, SplitConfig(folds=1, validation_share=0.25, test_share=0.25), 0, 0)
    assert folds == 1
    assert [len(part) for part in (split.train, split.validation, split.test)] == [12, 6, 6]
    with pytest.raises(ValueError, match="held out"):
        SplitConfig(folds=1)


def test_one_patient_cannot_be_split() -> None:
    with pytest.raises(ConfigError, match="at least 2 patients"):
        make_split({"a-1": "a", "a-2": "a"}, SplitConfig(), 0, 0)


def test_a_file_is_kept_and_its_hash_guards_it(tmp_path: Path) -> None:
    split, _, _ = make_split(PATIENTS, SplitConfig(), 1, 3)
    path = tmp_path / "split.json"
    write_split(split, path)
    assert read_split(path) == split
    values = json.loads(path.read_text())
    values["train"], values["validation"] = values["validation"], values["train"]
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match="changed by hand"):
        read_split(path)


def test_a_file_that_leaks_a_patient_is_refused(tmp_path: Path) -> None:
    cases = sorted(PATIENTS)
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": cases[:3], "validation": cases[3:6]}))
    with pytest.raises(ConfigError, match=r"BraTS-GLI-00001 is in train and in validation"):
        settle_split(PATIENTS, SplitConfig(file=path), 0, 0)
    write_split(Split(train=("nobody",), validation=(cases[0],)), path)
    with pytest.raises(ConfigError, match="train names nobody, not found"):
        settle_split(PATIENTS, SplitConfig(file=path), 0, 0)


def test_cases_that_a_file_leaves_out_are_said_aloud(tmp_path: Path) -> None:
    cases = sorted(PATIENTS)
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": cases[:4], "validation": cases[4:6]}))
    split, folds, notes = settle_split(PATIENTS, SplitConfig(file=path), 0, 0)
    assert folds == 1
    assert split.train == tuple(cases[:4])
    assert "18 cases are in no part" in notes[0]
