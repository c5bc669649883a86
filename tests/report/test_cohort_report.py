"""The index of a result folder: what was not done first, dates only where ids prove them, names never markup."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bratsseg.cli.report import report
from bratsseg.errors import UsageError
from bratsseg.report.cohort import CohortRow
from bratsseg.report.cohort_report import cohort_page, write_index
from bratsseg.report.run import build_reports
from bratsseg.report.timeline import changes, timelines, visit_of
from bratsseg.study.quality import Answer, RegionQuality
from bratsseg.study.regions import Region
from tests.report.results import head, tumour, write_refusal, write_result


def row(case: str, wt: float | None, **changed: object) -> CohortRow:
    region = {"assessable": wt is not None, "volume_ml": wt, "voxels": int(wt or 0), "lesions": 1}
    values = {"status": "done", "regions": {"WT": region, "TC": {"assessable": False}}, "model": "default 1.0 (ab)"}
    return CohortRow(case, **(values | changed))


@pytest.mark.parametrize(
    ("case", "patient", "label"),
    [
        ("BraTS-GLI-00012-001", "BraTS-GLI-00012", "scan 1"),
        ("site/BraTS-GLI-00012-001", "site/BraTS-GLI-00012", "scan 1"),
        ("sub-7_ses-02", "sub-7", "scan 2"),
        ("sub-7_ses-20240131", "sub-7", "2024-01-31"),
        ("TCGA_CS_4941_19960909", "TCGA_CS_4941", "1996-09-09"),
        ("anna-2024-03-01", "anna", "2024-03-01"),
        ("P1__11.01.2019", "P1", "2019-01-11"),
        ("P1__2019-01-11__nifti", "P1", "2019-01-11"),
        ("P1__month06", "P1", "month 6"),
    ],
)
def test_ids_that_prove_a_date_or_an_order(case: str, patient: str, label: str) -> None:
    visit = visit_of(case)
    assert visit is not None
    assert (visit.patient, visit.label) == (patient, label)


@pytest.mark.parametrize(
    "case",
    [
        "BraTS2021_00012",
        "sub-7_ses-pre",
        "anna-1",
        "anna_19961399",
        "anna_00000000",
        "12345678",
        "2019-01-11",
        "P1__preop",
        "a_12345678",
        "x-2",
    ],
)
def test_ids_that_prove_nothing(case: str) -> None:
    assert visit_of(case) is None


def test_patients_are_put_in_order_only_when_it_is_proven() -> None:
    found = timelines(["P_20240301", "P_20230101", "Q_20240101", "R-2024-01-01", "R_20240101", "S_x", "S_y"])
    assert list(found) == ["P"]
    assert [visit.day for visit in found["P"]] == [date(2023, 1, 1), date(2024, 3, 1)]
    assert timelines(["sub-1_ses-1", "sub-1_ses-20240101"]) == {}
    assert list(timelines(["P1__visit1", "P1__visit2", "P2__visit1", "P2__week2"])) == ["P1"]
    assert timelines(["P1__month3", "P1__month6", "P1__baseline"]) == {}  # the first scan is the baseline


def test_changes_against_baseline_and_nadir() -> None:
    found = changes([20.0, 8.0, None, 6.0, 9.0])
    assert [(change.baseline, change.nadir) for change in found] == [
        (None, None),
        (20.0, 20.0),
        (None, None),
        (20.0, 8.0),
        (20.0, 6.0),
    ]
    assert changes([None, 5.0, 4.0])[2].baseline is None
    assert changes([None, 5.0, 4.0])[2].nadir == 5.0


def test_the_index_shows_curves_and_changes() -> None:
    page = cohort_page([row("P_20230101", 20.0), row("P_20230601", 5.0), row("P_20240101", 10.0)])
    assert "P</bdi>: 3 scans" in page
    assert "−75 % (−15.0 mL)" in page
    assert "−50 % (−10.0 mL)" in page
    assert "+100 % (+5.0 mL)" in page
    assert "same model" not in page
    other = cohort_page([row("P_20230101", 20.0), row("P_20230601", 5.0, model="other 2 (cd)")])
    assert "not segmented by the same model" in other


def test_what_was_not_done_comes_first_with_its_code(tmp_path: Path) -> None:
    write_result(tmp_path, "good", head(), tumour())
    write_refusal(tmp_path, "bad", reason="FLAIR must be brain-extracted")
    write_refusal(tmp_path, "worse", status="failed", code="failed", reason="out of memory")
    built = build_reports(tmp_path)
    page = built.index.read_text()
    assert page.index("worse") < page.index("skull_on") < page.index("good")
    assert "FLAIR must be brain-extracted" in page
    assert "1 refused" in page
    assert 'href="./good/good_report.html"' in page
    assert 'src="./good/good_report_small.jpg"' in page
    assert (tmp_path / "good" / "good_report_small.jpg").stat().st_size < 8000


def test_a_case_that_became_refused_loses_its_old_report(tmp_path: Path) -> None:
    folder = write_result(tmp_path, "one", head(), tumour())
    build_reports(tmp_path)
    assert (folder / "one_report.html").is_file()
    record = json.loads((folder / "one.json").read_text()) | {"status": "refused", "code": "skull_on"}
    (folder / "one.json").write_text(json.dumps(record))
    build_reports(tmp_path)
    assert not list(folder.glob("*_report*"))


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "java script:alert(1)", 'a"onmouseover="x', "a%2e?#b"]
)
def test_a_hostile_name_stays_a_name(tmp_path: Path, name: str) -> None:
    folder = write_result(tmp_path, name, head(), tumour())
    write_refusal(tmp_path, f"{name} too", reason=f"</td><script>{name}</script>")
    page = build_reports(tmp_path).index.read_text()
    assert page.count("<script>") == 1
    assert "<img src=x" not in page
    assert "</td><script>" not in page
    start = page.index('href="./') + len('href="./')
    address = page[start : page.index('"', start)]
    assert not set(address) & set("<>\"' :?#&")
    assert (folder / f"{name}_report.html").is_file()


def test_an_index_without_reports_takes_volumes_of_the_records(tmp_path: Path) -> None:
    volumes = {"WT": 12.5, "TC": None, "ET": 0.0}
    write_result(tmp_path, "one", head(), tumour(), volumes_ml=volumes, not_assessable={"TC": "needs T1ce"})
    page = write_index(tmp_path).read_text()
    assert "12.5 mL" in page
    assert "not assessable" in page
    assert "none found" in page
    assert "href=" not in page


def test_measures_of_another_label_map_are_not_believed(tmp_path: Path) -> None:
    folder = write_result(tmp_path, "one", head(), tumour(), volumes_ml={"WT": 77.0})
    build_reports(tmp_path)
    measures = json.loads((folder / "one_report.json").read_text())
    assert measures["regions"]["WT"]["lesions"] == 1
    (folder / "one_report.json").write_text(json.dumps(measures | {"made_for": "another"}))
    assert "77.0 mL" in write_index(tmp_path).read_text()
    (folder / "one_report.json").write_text("{torn")
    assert "77.0 mL" in write_index(tmp_path).read_text()


def test_thousands_of_cases_stay_one_page_of_some_megabytes() -> None:
    rows = [row(f"BraTS-GLI-{number:05d}-000", float(number % 90)) for number in range(2000)]
    page = cohort_page(rows)
    assert page.count("<tr class=") == 2000
    assert len(page) < 2000 * 1600


def test_processes_change_nothing(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_result(tmp_path, name, head(), tumour())
    build_reports(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*_report*")}
    build_reports(tmp_path, workers=2)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*_report*")} == before


def test_wrong_use_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        build_reports(tmp_path)
    with pytest.raises(UsageError, match="there is none"):
        build_reports(tmp_path / "nowhere")
    write_result(tmp_path, "one", head(), tumour())
    with pytest.raises(UsageError, match="--scans"):
        build_reports(tmp_path, tmp_path / "nowhere")


def test_the_verb_says_what_it_made_and_what_it_could_not(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(report)
    write_result(tmp_path, "one", head(), tumour())
    torn = write_result(tmp_path, "torn", head(), tumour())
    (torn / "torn_seg.nii.gz").write_bytes(b"")
    ended = CliRunner().invoke(app, [str(tmp_path)])
    assert ended.exit_code == 1
    assert "no report of torn" in ended.output
    assert "1 reports" in ended.output


def test_the_index_sorts_by_predicted_dice_and_says_review_first() -> None:
    sure, unsure = (
        {Region.WT: RegionQuality(answer=Answer.FOUND, predicted_dice=dice, boundary_entropy=0.4)}
        for dice in (0.93, 0.41)
    )
    rows = [row("sure", 12.0, quality=sure), row("unsure", 9.0, quality=unsure), row("older", 3.0)]
    page = cohort_page(rows)
    lines = {
        case: next(line for line in page.splitlines() if f'data-value="{case}"' in line)
        for case in ("sure", "unsure", "older")
    }
    cells = {case: page[page.index(lines[case]) :].partition("</tr>")[0] for case in lines}
    assert 'data-value="0.93"><span>0.93</span>' in cells["sure"]
    assert 'data-value="0.41"><span>0.41 review first</span>' in cells["unsure"]
    assert 'data-label="Predicted Dice" data-value=""><span>–</span>' in cells["older"]
    assert 'class="found review"' in lines["unsure"]
    assert 'class="found"' in lines["sure"]
    assert '<option value="review">' in page


def test_the_dice_of_what_was_not_found_is_unknown(tmp_path: Path) -> None:
    quality = {
        "WT": {"answer": "none found", "missed_chance": 0.27, "review": "no tumour was found, but it is not sure"},
        "TC": {"answer": "none found", "predicted_dice": 0.96},  # as earlier versions wrote it
    }
    folder = write_result(tmp_path, "anna", head(), tumour(radii=(0, 0, 0)), quality=quality)
    build_reports(tmp_path)
    page = (folder / "anna_report.html").read_text(encoding="utf-8")
    assert page.count("<span>unknown</span>") == 2
    assert 'data-label="Chance of a miss"><span>0.27</span>' in page
    assert 'data-label="Chance of a miss"><span>0.04</span>' in page
    assert "0.96" not in page
    assert "review first: no tumour was found, but it is not sure" in page
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'data-label="Predicted Dice" data-value=""><span>unknown review first</span>' in index


def test_figures_of_a_map_that_was_changed_since_are_not_shown(tmp_path: Path) -> None:
    quality = {"WT": {"answer": "found", "predicted_dice": 0.31, "boundary_entropy": 0.5}}
    folder = write_result(tmp_path, "anna", head(), tumour(), quality=quality)
    build_reports(tmp_path)
    page = (folder / "anna_report.html").read_text(encoding="utf-8")
    assert "review first: the predicted Dice of the whole tumour is 0.31" in page
    assert "Boundary entropy" in page
    assert "0.31 review first" in (tmp_path / "index.html").read_text(encoding="utf-8")
    drawn = write_result(tmp_path / "other", "anna", head(), tumour(radii=(5, 3, 2))) / "anna_seg.nii.gz"
    (folder / "anna_seg.nii.gz").write_bytes(drawn.read_bytes())
    shutil.rmtree(tmp_path / "other")
    build_reports(tmp_path)
    assert "0.31" not in (folder / "anna_report.html").read_text(encoding="utf-8")
    assert "0.31" not in (tmp_path / "index.html").read_text(encoding="utf-8")
