from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bratsseg.errors import ConfigError
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.table import read_table
from tests.study.scans import image, put, save

EXAMPLES = Path(__file__).resolve().parents[3] / "configs" / "layout"


def layout(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_says_which_file_is_which(tmp_path: Path, separator: str) -> None:
    put(tmp_path / "scans", "a.nii.gz", "b.nii.gz", "truth.nii.gz")
    rows = ["case,flair,t1ce,reference,dialect", "Miller,scans/a.nii.gz,scans/b.nii.gz,scans/truth.nii.gz,brats2023"]
    table = layout(tmp_path, "cases.csv", "\n".join(rows).replace(",", separator))
    (case,) = find_cases(tmp_path / "scans", table)
    assert (case.id, case.dialect) == ("Miller", "brats2023")
    assert {m: source.path.name for m, source in case.sources.items()} == {
        Modality.FLAIR: "a.nii.gz",
        Modality.T1C: "b.nii.gz",
    }


SAVED = {
    "Excel, UTF-8": (b"\xef\xbb\xbfcase;flair\r\nM\xc3\xbcller;Bef\xc3\xbcnde/a.nii.gz\r\n", 2),
    "Excel, plain CSV": (b"case;flair\r\nM\xfcller;Bef\xfcnde/a.nii.gz\r\n", 2),
    "Excel, Unicode text": ("case\tflair\r\nMüller\tBefünde/a.nii.gz\r\n".encode("utf-16"), 2),
    "sep=": (b"sep=;\r\ncase;flair\r\nM\xfcller;Bef\xfcnde/a.nii.gz\r\n", 3),
    "quoted": ('"Case" , "FLAIR"\n"Müller" , "Befünde/a.nii.gz"\n'.replace(" , ", ",").encode(), 2),
    "blank rows": ("case,flair,\n,,\n\nMüller,Befünde/a.nii.gz,\n , ,\n".encode(), 4),
    "Excel for Mac": ("case;flair\rMüller;Befünde/a.nii.gz\r".encode(), 2),
    "blank rows above": ("\n;;\ncase;flair\nMüller;Befünde/a.nii.gz\n".encode(), 4),
    "backslashes": ("case,flair\nMüller,Befünde\\a.nii.gz\n".encode(), 2),
}


@pytest.mark.parametrize("how", SAVED)
def test_a_table_is_read_as_spreadsheets_save_it(tmp_path: Path, how: str) -> None:
    put(tmp_path / "scans", "Befünde/a.nii.gz")
    content, row = SAVED[how]
    (tmp_path / "cases.csv").write_bytes(content)
    (case,) = find_cases(tmp_path / "scans", tmp_path / "cases.csv")
    assert (case.id, case.problems) == ("Müller", ())
    assert [row.number for row in read_table(tmp_path / "cases.csv")] == [row]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case,flair\nx,a\n,,\n\nx,b\n", "row 5 must have its own case, was 'x' again"),
        ("sep=;\ncase;flair\n;a\n", "row 3 must name its case"),
        (",,\n,\ncase,flair\n,a\n", "row 4 must name its case"),
        ('case,flair\nx,a\n"y,b\nz,c\n', "row 3: a quote .* must be closed"),
        ('case,flair\nx,a\n"y,b\nz",c\n', "row 3: a quote .* must be closed"),
        ('case,flair\nx,a\n"y,b', "row 3: a quote .* must be closed"),
        ("case,flair\nx,a\ny,b,c\n", "row 3: every cell must have a column, 'c' has none"),
        ("case,flair,flair\nx,a,b\n", "a name of its own"),
        ("case,flair,dialect\nx,a,brats2023\ny,a,mine\n", "row 3: dialect must be one of"),
        ("case,flair\n,,\n", "has no rows"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_row(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        find_cases(tmp_path, layout(tmp_path, "a.csv", text))


def test_a_table_names_channels_and_paths_below_the_folder(tmp_path: Path) -> None:
    save(tmp_path / "scans" / "all.nii.gz", image(np.zeros((3, 3, 3, 2), np.int16)))
    table = layout(tmp_path, "cases.csv", "case,flair,t1ce\nMiller,all.nii.gz#1,all.nii.gz#0\n")
    (case,) = find_cases(tmp_path / "scans", table)
    assert [source.channel for source in case.sources.values()] == [1, 0]
    assert not case.problems


def test_a_missing_file_of_a_table_refuses_its_case_only(tmp_path: Path) -> None:
    put(tmp_path, "a.nii.gz")
    table = layout(tmp_path, "cases.csv", "case,flair\nMiller,a.nii.gz\nMeier,gone.nii.gz\n")
    meier, miller = find_cases(tmp_path, table)
    assert not miller.problems
    assert [problem.code for problem in meier.problems] == ["unreadable"]
    assert "gone.nii.gz" in meier.problems[0].message


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.csv", "", "case"),
        ("a.csv", "case,adc\nx,y\n", "adc"),
        ("a.csv", "case,flair\nx,a\nx,b\n", "again"),
        ("a.csv", "case,flair,dialect\nx,a,mine\n", "mine"),
        ("a.yaml", "flair: 'x.nii.gz'", "{case}"),
        ("a.yaml", "flare: '{case}.nii.gz'", "flare"),
        ("a.yaml", "volumes: '{case}.nii.gz'", "channels"),
        ("a.yaml", "flair: '{case}'\ndialect: mine", "mine"),
        ("a.yaml", "flair: [", "YAML"),
    ],
)
def test_a_layout_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, text: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        find_cases(tmp_path, layout(tmp_path, name, text))


def test_patterns(tmp_path: Path) -> None:
    put(tmp_path / "in", *(f"deep/{c}/x/IM_{c}_{n}.nii.gz" for c in ("p1", "p2") for n in (1, 2)), "truth/p1.nii.gz")
    text = (
        'flair: "**/{case}/*/IM_{case}_1.nii.gz"\nt1ce: "deep/{case}/x/*_2.nii.gz"\nreference: "truth/{case}.nii.gz"\n'
    )
    first, second = find_cases(tmp_path / "in", layout(tmp_path, "a.yaml", text))
    assert (first.id, second.id, second.reference) == ("p1", "p2", None)
    assert first.reference is not None
    assert first.sources[Modality.T1C].path.name == "IM_p1_2.nii.gz"


def test_a_pattern_that_two_files_match_is_ambiguous(tmp_path: Path) -> None:
    put(tmp_path / "in", "p1/a.nii.gz", "p1/b.nii.gz")
    (case,) = find_cases(tmp_path / "in", layout(tmp_path, "a.yaml", 'flair: "{case}/*.nii.gz"'))
    assert [problem.code for problem in case.problems] == ["modality_ambiguous"]


def test_the_layout_for_nnunet_brats_2021(tmp_path: Path) -> None:
    put(tmp_path, *(f"imagesTr/BraTS2021_00000_{n:04d}.nii.gz" for n in range(4)), "labelsTr/BraTS2021_00000.nii.gz")
    (case,) = find_cases(tmp_path, EXAMPLES / "nnunet-brats21.yaml")
    assert (case.id, case.dialect) == ("BraTS2021_00000", "nnunet-brats21")
    assert [source.path.name[-11:-7] for source in case.sources.values()] == ["0003", "0000", "0001", "0002"]


def test_the_layout_for_msd(tmp_path: Path) -> None:
    save(tmp_path / "imagesTr" / "BRATS_001.nii.gz", image(np.zeros((3, 3, 3, 4), np.int16)))
    (case,) = find_cases(tmp_path, EXAMPLES / "msd-task01.yaml")
    assert [source.channel for source in case.sources.values()] == [0, 1, 2, 3]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_layout_that_ships_can_be_read(tmp_path: Path, path: Path) -> None:
    assert find_cases(tmp_path, path) == []
