from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.batch.names import Names, plain, unfit_as_folder
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality


def _case(root: Path, case_id: str = "Smith", name: str = "Smith_flair.nii.gz") -> Case:
    return Case(case_id, {Modality.FLAIR: VolumeSource(root / "ward 7" / case_id / name)})


def test_without_a_salt_names_are_kept_and_paths_are_relative(tmp_path: Path) -> None:
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


def test_the_same_salt_gives_the_same_names_another_others(tmp_path: Path) -> None:
    case = _case(tmp_path)
    assert Names(tmp_path, "a").case_id(case) == Names(tmp_path / "moved", "a").case_id(case)
    assert Names(tmp_path, "a").case_id(case) != Names(tmp_path, "b").case_id(case)


UNFIT = [
    "",
    ".",
    "..",
    "a/../b",
    "/etc",
    "a\\b",
    "a\tb",
    "a\x1b[31m",
    "a\u2028b",
    "a\u202eb",
    "\u2066a\u2069",
    "a\u200f",
    "a ",
    "a.",
    "-rf",
    "a/-b",
    "a/ ",
    "cases.csv",
]


@pytest.mark.parametrize("case_id", UNFIT)
def test_an_id_that_is_no_folder_name_is_filed_under_another(tmp_path: Path, case_id: str) -> None:
    names, case = Names(tmp_path), Case(case_id, {})
    assert "folder name" in (names.unfit(case) or "")
    assert unfit_as_folder(names.case_id(case)) is None
    assert "/" not in names.case_id(case)
    assert Names(tmp_path, "salt").unfit(case) is None


@given(st.lists(st.sampled_from(UNFIT) | st.text(max_size=6), unique=True, max_size=8))
def test_no_two_ids_are_filed_in_one_folder(ids: list[str]) -> None:
    cases = [Case(case_id, {}) for case_id in ids]
    names = Names(Path("in"), None, cases)
    assert len({names.case_id(case) for case in cases}) == len(ids)


def test_ids_that_read_alike_are_each_refused(tmp_path: Path) -> None:
    cases = [Case(name, {}) for name in ("Müller", "M\udcfcller", "Meier")]
    names = Names(tmp_path, None, cases)
    assert [names.unfit(case) is None for case in cases] == [False, False, True]


def test_a_disk_that_ignores_capitals_takes_neither(tmp_path: Path) -> None:
    cases = [Case(name, {}) for name in ("Miller", "miller", "Meier")]
    apart, one = Names(tmp_path, None, cases), Names(tmp_path, None, cases, ignores_case=True)
    assert [apart.unfit(case) for case in cases] == [None] * 3
    assert [one.unfit(case) is None for case in cases] == [False, False, True]
    assert len({one.case_id(case).casefold() for case in cases}) == 3


WORDS = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)


@given(WORDS, st.lists(WORDS, min_size=1), WORDS)
def test_a_word_of_a_sentence_is_no_path(root: str, words: list[str], before: str) -> None:
    said = f"{' '.join(words)} {root} {before}{root} {root}{before}; {root}-{before} {before}/{root}/{before}"
    assert Names(Path(root)).clean(said, _case(Path(root))) == said


SENTENCES = {
    "in/ward 7/Smith/flair.nii.gz does not exist": "ward 7/Smith/flair.nii.gz does not exist",
    "NaN or infinite in 'in/ward 7/x', inside in-2/ward 7": "NaN or infinite in 'ward 7/x', inside in-2/ward 7",
    "HERE/in/ward 7/x and HERE/in2/ward 7/x": "ward 7/x and HERE/in2/ward 7/x",
    "nothing below HERE/in, nor below 'HERE/in/'": "nothing below the input folder, nor below 'the input folder'",
    "HERE/in.old/ward 7/x, /mntHERE/in/x": "HERE/in.old/ward 7/x, /mntHERE/in/x",
}


@pytest.mark.parametrize("said", SENTENCES)
def test_paths_of_the_input_folder_are_told_from_it_on(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cleaned = Names(Path("in")).clean(said.replace("HERE", str(tmp_path)), _case(Path("in")))
    assert cleaned == SENTENCES[said].replace("HERE", str(tmp_path))


def test_a_fault_of_the_disk_is_no_path() -> None:
    said = "Input/ward 7/x cannot be read; Input/output error"
    assert Names(Path("Input")).clean(said, _case(Path("Input"))) == "ward 7/x cannot be read; Input/output error"


@pytest.mark.parametrize("word", ["in", "mask", "scans", "T1", "FLAIR", "6"])
def test_a_salt_leaves_the_words_of_sentences(tmp_path: Path, word: str) -> None:
    root = tmp_path / word
    case = Case(word, {Modality.FLAIR: VolumeSource(root / word / f"{word}.nii.gz")})
    said = f"scans must be in one grid, only 6 of 9 faces are; FLAIR and T1 lie beside the mask (--mask FILE) in {word}"
    names = Names(root, "pepper")
    assert names.clean(said, case) == said
    cleaned = names.clean(f"case {word}: {root}/{word}/{word}.nii.gz, '{word}' and folder {word} are empty", case)
    assert re.sub(r"(case|file)-[0-9a-f]{12}", "X", cleaned) == "case X: X, 'X' and folder X are empty"


@given(st.binary(max_size=20))
def test_any_file_name_becomes_text_that_can_be_written(name: bytes) -> None:
    text = plain(os.fsdecode(name))
    assert all(sign.isprintable() or unicodedata.category(sign) == "Zs" for sign in text)
    text.encode("utf-8")


def test_hospital_umlauts_in_an_old_encoding_stay_apart() -> None:
    assert plain(os.fsdecode(b"M\xfcller")) == "Müller"
    assert plain("Müller") == "Müller"


def test_a_name_that_the_system_cannot_hold_is_unfit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode("ascii"))
    names = Names(tmp_path)
    assert "LC_ALL=C.UTF-8" in (names.unfit(Case("Müller", {})) or "")
    assert names.case_id(Case("Müller", {})).isascii()
    assert names.unfit(Case("Mueller", {})) is None
