from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bratsseg.cli.check import check
from bratsseg.errors import CaseError
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.checks import check_case, inspect
from bratsseg.study.grid import Grid
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import GeometryPolicy, read_study
from bratsseg.study.volume import Study, Volume
from tests.conftest import make_study
from tests.study.scans import LPS, image, put, save

RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 30, (24, 24, 24)).astype(np.float32)


def codes(voxels: np.ndarray, **volume: float) -> list[str]:
    study = Study("Miller", {Modality.T1C: Volume(voxels, Grid.of(voxels.shape, LPS), **volume)})
    return [problem.code for problem in inspect(study) if problem.fatal]


def with_one(value: float) -> np.ndarray:
    voxels = NOISE.copy()
    voxels[3, 4, 5] = value
    return voxels


@pytest.mark.parametrize(
    "voxels",
    [
        with_one(np.nan),
        with_one(np.inf),
        np.zeros((8, 8, 8), np.int16),
        np.full((8, 8, 8), 7.5, np.float32),
        RNG.integers(0, 5, (24, 24, 24)).astype(np.uint8),
        np.where(NOISE > 40, 4, 0).astype(np.float32),
        (RNG.random((40, 40, 40)) > 0.9999).astype(np.int16),
    ],
    ids=["nan", "infinite", "zero", "constant", "label map", "float label map", "almost empty mask"],
)
def test_what_can_be_no_scan_is_named(voxels: np.ndarray) -> None:
    assert codes(voxels) == ["content_invalid"]


@pytest.mark.parametrize(
    "voxels",
    [NOISE, NOISE.astype(np.int16), (NOISE - NOISE.min()).astype(np.uint16), np.round(NOISE, 1).astype(np.float64)],
    ids=["z-scored", "int16 with negatives", "uint16", "float64"],
)
def test_scans_of_any_type_and_sign_pass(voxels: np.ndarray) -> None:
    assert codes(voxels) == []
    assert codes(np.where(np.arange(24) % 12 == 7, voxels, 0).astype(voxels.dtype)) == []


def test_a_slope_that_makes_intensities_infinite_is_named() -> None:
    assert codes(NOISE, slope=float("inf")) == ["content_invalid"]


def test_grids_that_differ_are_named_with_both_sizes() -> None:
    study = make_study()
    other = study.volumes[Modality.T1C]
    moved = Grid.of(other.grid.shape, other.grid.affine + np.array([[0, 0, 0, 2.1]] + [[0] * 4] * 3))
    volumes = study.volumes | {Modality.T1C: Volume(other.voxels, moved)}
    (problem,) = inspect(Study("Miller", volumes))
    assert problem.code == "grids_differ"
    assert "T1ce" in problem.message
    assert "2.1 mm" in problem.message
    assert inspect(study) == []


def test_an_empty_mask_is_named() -> None:
    study = make_study()
    nothing = Volume(np.zeros(study.reference.grid.shape, np.uint8), study.reference.grid)
    assert [p.message[:10] for p in inspect(Study("Miller", study.volumes, nothing))] == ["brain mask"]


def test_headers_alone_show_unreadable_and_unlocated_scans(tmp_path: Path) -> None:
    (tmp_path / "f.nii.gz").write_bytes(b"")
    save(tmp_path / "t.nii.gz", image(NOISE, sform=None, qform=None))
    sources = {Modality.FLAIR: VolumeSource(tmp_path / "f.nii.gz"), Modality.T1C: VolumeSource(tmp_path / "t.nii.gz")}
    found = check_case(Case("Miller", sources))
    assert [problem.code for problem in found.problems] == ["unreadable", "geometry_invalid"]
    assert not found.usable
    accepted = check_case(Case("Miller", sources), GeometryPolicy(without_codes="accept"))
    assert [problem.fatal for problem in accepted.problems] == [True, False]


def test_voxel_sizes_that_are_no_head_are_remarked(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii", image(NOISE[:, :, :4]))
    case = Case("Miller", {Modality.T1C: VolumeSource(path)})
    (problem,) = check_case(case).problems
    assert not problem.fatal
    assert "24 x 24 x 8 mm, which is no head" in problem.message
    assert inspect(read_study(case)) == [problem]


@pytest.mark.parametrize(("edge", "shown"), [(1000.0, "24 x 24 x 24 m"), (0.001, "24 x 24 x 24 micrometres")])
def test_a_size_that_nothing_in_a_scanner_has_is_refused(tmp_path: Path, edge: float, shown: str) -> None:
    affine = np.diag([edge, edge, edge, 1])
    path = save(tmp_path / "scan.nii", image(NOISE, sform=affine, qform=affine))
    case = Case("Miller", {Modality.T1C: VolumeSource(path)})
    for problems in (check_case(case).problems, inspect(read_study(case))):
        assert [(problem.code, problem.fatal) for problem in problems] == [("geometry_invalid", True)]
        assert shown in problems[0].message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for word in ("flair", "t1ce"):
        brain = np.pad(RNG.integers(600, 999, (20, 20, 20)).astype(np.int16), 2)
        save(tmp_path / "in" / "Miller" / f"{word}.nii.gz", image(brain))
    return tmp_path / "in"


def test_the_verb_says_ok_and_returns_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(folder, voxels=True) == 0
    shown = capsys.readouterr().out
    assert "Miller  ok" in shown
    assert "24 x 24 x 24" in shown
    assert "1 case: 1 fine, 0 with problems" in shown


def test_the_verb_lists_what_is_wrong_and_returns_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder, "Meier/T1_gd.nii.gz", "Meier/T1_post.nii.gz")
    assert check(folder) == 1
    shown = capsys.readouterr().out
    assert "! modality_ambiguous: T1_gd.nii.gz, T1_post.nii.gz" in shown
    assert "2 cases: 1 fine, 1 with problems" in shown


def test_voxels_are_looked_at_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(folder / "Miller" / "t2.nii.gz", image(np.zeros((24, 24, 24), np.int16)))
    assert check(folder) == 0
    assert check(folder, voxels=True) == 1
    assert "T2: a scan must have contrast" in capsys.readouterr().out


def test_json_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Miller" / "t2.nii.gz").write_bytes(b"")
    assert check(folder, as_json=True, voxels=True) == 1
    facts = json.loads(capsys.readouterr().out)
    (case,) = facts["cases"]
    assert (case["case"], case["ok"], facts["total"], facts["fine"]) == ("Miller", False, 1, 0)
    assert case["modalities"]["flair"]["shape"] == [24, 24, 24]
    assert [problem["code"] for problem in case["problems"]] == ["unreadable"]


def test_an_empty_and_a_missing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 1
    assert "no scans were found" in capsys.readouterr().out
    assert check(tmp_path / "gone") == 2
    assert "gone" in capsys.readouterr().err


def test_a_file_name_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, "Mil\x1b[31mler/flair.nii.gz")
    check(tmp_path)
    assert "\x1b" not in capsys.readouterr().out


REAL_FOLDERS = ("brats2013", "brats2021", "brats2023", "headers", "native", "no-tumour")


@pytest.mark.real
def test_real_scans_mixed_in_one_folder_are_found_without_flags(real_data: Path, tmp_path: Path) -> None:
    for number, name in enumerate(REAL_FOLDERS):  # other folders may come to lie beside them
        place = tmp_path / "mixed" / ("deep/er" if number % 2 else ".") / name
        shutil.copytree(real_data / name, place, symlinks=False)
    cases = {case.id: case for case in find_cases(tmp_path / "mixed")}
    full = {"BraTS-GLI-00000-000", *(f"BraTS2021_0{n}" for n in (1476, 1477, 1478, 1479, 1481))}
    full |= {"TCGA-FG-6692", "open-ms-mni-patient07"}
    assert full <= {name for name, case in cases.items() if len(case.sources) == 4}
    assert set(cases["open-ms-patient01"].sources) == {Modality.FLAIR, Modality.T1N, Modality.T2W}
    assert {cases[f"brats_2013_pat000{n}_1"].dialect for n in (3, 5, 6)} == {"brats2013"}
    assert cases["BraTS-GLI-00000-000"].dialect == "brats2023"
    others = {"open-ms-patient01", *(f"brats_2013_pat000{n}_1" for n in (3, 5, 6)), "headers", "orientations"}
    assert others <= set(cases) - full


@pytest.mark.real
def test_real_scans_are_read_or_refused_by_name(real_data: Path) -> None:
    ended: dict[str, str] = {}
    for case in (case for name in REAL_FOLDERS for case in find_cases(real_data / name)):
        try:
            study = read_study(case)
            ended[case.id] = " ".join(sorted({problem.code for problem in inspect(study)})) or "ok"
        except CaseError as error:
            ended[case.id] = error.code
    assert {name for name, end in ended.items() if end == "grids_differ"} == {"TCGA-FG-6692", "open-ms-patient01"}
    assert {"headers", "orientations"} <= {name for name, end in ended.items() if end == "modality_ambiguous"}
    assert sum(end == "ok" for end in ended.values()) >= 10


@pytest.mark.real
@pytest.mark.parametrize(("name", "flag"), [("minimal", "--accept-no-form-codes"), ("shear", "--trust-form")])
def test_real_odd_headers_are_refused_with_the_flag(real_data: Path, name: str, flag: str) -> None:
    case = Case(name, {Modality.T1C: VolumeSource(real_data / "headers" / f"{name}.nii.gz")})
    (problem,) = check_case(case).problems
    assert problem.code == "geometry_invalid"
    assert flag in problem.message


@pytest.mark.parametrize("edge", [0.0001, 1.0, 12_000.0, 1_234_567.0])
def test_columns_of_the_verb_stay_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str], edge: float) -> None:
    affine = np.diag([edge, edge, edge, 1])
    save(tmp_path / "Miller" / "flair.nii", image(NOISE, sform=affine, qform=affine))
    check(tmp_path)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  FLAIR")]
    words = line.split()
    assert words[1:6] == ["24", "x", "24", "x", "24"]
    assert [float(word) for word in words[6:11:2]] == [edge] * 3
    assert words[11:] == ["mm", "RAS", "float32", "Miller/flair.nii"]
