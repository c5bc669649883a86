from __future__ import annotations

import csv
import json

import pytest
import typer
from typer.testing import CliRunner

from bratsseg.cli.compare import compare
from bratsseg.cli.evaluate import evaluate
from tests.evaluation.test_folders import labels, save, save_ours

app = typer.Typer()
app.command()(evaluate)


@pytest.fixture
def folders(tmp_path):
    for number in range(3):
        save_ours(tmp_path / "ours", f"BraTS2021_0000{number}", labels(shift=number))
    for number in range(2):
        save(tmp_path / "truth" / f"BraTS2021_0000{number}_seg.nii.gz", labels(enhancing=4 if number == 0 else 1))
    return tmp_path


def run(folders, *more: str):
    arguments = [str(folders / "ours"), str(folders / "truth"), "--out", str(folders / "out"), *more]
    return CliRunner().invoke(app, arguments)


def test_the_table_and_the_files(folders):
    result = run(folders)
    assert result.exit_code == 0, result.output
    assert "2 cases scored; predictions in brats2023, references in brats2021" in result.output
    assert "ET: Dice 1.000 over 1 case with it; elsewhere 0.008 mL predicted" in result.output
    assert "BraTS2021_00002: the prediction has no reference" in result.output
    lesions = list(csv.DictReader((folders / "out" / "lesions.csv").read_text().splitlines()))
    assert {(row["case"], row["region"]) for row in lesions} >= {("BraTS2021_00000", "WT"), ("BraTS2021_00000", "ET")}
    assert "lesion-wise mean" in result.output
    rows = list(csv.DictReader((folders / "out" / "scores.csv").read_text().splitlines()))
    assert [row["region"] for row in rows] == ["WT", "TC", "ET"] * 2 + [""]
    assert (rows[0]["vol_dice"], rows[0]["hd95_mm"], rows[0]["status"]) == ("1", "0", "scored")
    assert (rows[5]["vol_dice"], rows[5]["hd95_mm"], rows[5]["false_positive_ml"]) == ("0", "", "0.008")
    assert (rows[6]["status"], rows[6]["vol_dice"]) == ("no_reference", "")
    summary = json.loads((folders / "out" / "summary.json").read_text())
    assert summary["regions"]["ET"]["vol_dice"]["mean"] == 0.5
    assert summary["regions"]["ET"]["hd95_mm"]["undefined"] == 1
    assert summary["unscored"][0]["case"] == "BraTS2021_00002"


def test_a_missing_prediction_is_told_by_the_exit_code(folders):
    save(folders / "truth" / "BraTS2021_00009_seg.nii.gz", labels(enhancing=4))
    result = run(folders)
    assert result.exit_code == 1
    assert "BraTS2021_00009: the reference has no prediction" in result.output


def test_the_page_and_the_pixels(folders):
    result = run(folders)
    assert result.exit_code == 0, result.output
    page = (folders / "out" / "report.html").read_text()
    assert page.index('id="unscored"') < page.index('id="cases"')
    cases = page[page.index('id="cases"') :]
    assert cases.index("BraTS2021_00001") < cases.index("BraTS2021_00000")
    pixels = list(csv.DictReader((folders / "out" / "pixels.csv").read_text().splitlines()))
    found = {(row["region"], row["score"]): row for row in pixels}
    assert float(found["WT", "pooled_dice"]["value"]) == pytest.approx((1 + 6 / 7) / 2, rel=1e-5)
    assert found["WT", "pooled_dice"]["all_background"] == "0"
    assert found["ET", "pooled_precision@tumour_slices"]["value"] == "1"
    assert float(found["ET", "empty_slices_fp_ml"]["value"]) > 0


def test_two_results_compared(folders):
    worse = folders / "worse"
    for number in range(2):
        save_ours(worse, f"BraTS2021_0000{number}", labels(shift=number + 1))
    arguments = [str(folders / "ours"), str(worse), "--reference", str(folders / "truth")]
    both = typer.Typer()
    both.command()(compare)
    result = CliRunner().invoke(both, [*arguments, "--out", str(folders / "compared")])
    assert result.exit_code == 0, result.output
    assert "2 cases in both" in result.output
    rows = list(csv.DictReader((folders / "compared" / "comparison.csv").read_text().splitlines()))
    dice = next(row for row in rows if (row["region"], row["score"]) == ("WT", "vol_dice"))
    assert (dice["cases"], dice["higher"], dice["rank_biserial"]) == ("2", "2", "1")
    facts = json.loads((folders / "compared" / "comparison.json").read_text())
    assert facts["first"].endswith("ours")
    assert facts["regions"]["WT"]["volumes_ml"]["bias"] == 0
    assert 'id="comparison"' in (folders / "compared" / "report.html").read_text()
