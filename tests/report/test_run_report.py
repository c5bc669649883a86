from __future__ import annotations

import math

import numpy as np

from bratsseg.evaluation.classes import class_table
from bratsseg.evaluation.pixels import case_pixels, pool
from bratsseg.report.error_picture import ERROR_COLOURS, paint_errors, picture_errors
from bratsseg.report.run_report import RunResult, ValidationCase, write_run_report
from bratsseg.study.regions import Region


def masks(shift: int = 0, empty: bool = False) -> dict[Region, np.ndarray]:
    found = {}
    for region, radius in zip(Region, (6, 4, 2), strict=True):
        mask = np.zeros((24, 20, 8), dtype=bool)
        if not empty:
            mask[12 - radius + shift : 12 + radius + shift, 10 - radius : 10 + radius, 3:6] = True
        found[region] = mask
    return found


def a_run(name: str = "unet <b>2d</b>") -> RunResult:
    image = np.random.default_rng(0).random((24, 20, 8), dtype=np.float32)
    predicted, reference = masks(shift=2), masks()
    return RunResult(
        name=name,
        facts=(("Split SHA-256", "0" * 64), ("Training", "12 patients, 12 cases"), ("Validation", "2 patients")),
        scored_by="vol_dice_mean",
        cases=(
            ValidationCase("good", "p1", {"vol_dice_WT": 0.9, "vol_dice_ET": 0.8}),
            ValidationCase("missed", "p2", {"vol_dice_WT": 0.95, "vol_dice_ET": 0.0}, (Region.ET,)),
            ValidationCase("poor", "p3", {"vol_dice_WT": 0.1, "vol_dice_ET": math.nan}),
        ),
        pixels={region: pool([case_pixels(predicted[region], reference[region], 0.001)]) for region in Region},
        classes=class_table(predicted, reference) + class_table(masks(empty=True), reference),
        worst=(
            picture_errors(
                "missed",
                Region.WT,
                0.1,
                image,
                predicted=predicted[Region.WT],
                reference=reference[Region.WT],
                scan="FLAIR",
            ),
        ),
    )


def test_the_page_says_misses_first_and_scores_finding_nothing(tmp_path):
    (tmp_path / "log.csv").write_text(
        "epoch,step,seconds,learning_rate,loss,vol_dice_mean\n0,10,1.0,0.1,0.9,\n1,20,1.0,0.05,0.5,0.7\n"
    )
    page = write_run_report(tmp_path, a_run()).read_text()
    cases = page[page.index('id="cases"') :]
    assert cases.index("missed") < cases.index("poor") < cases.index("good")
    assert "&lt;b&gt;2d" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "all background" in page
    assert page.count("<polyline") == 3
    assert 'aria-label="loss over 2 epochs, from 0.5 to 0.9"' in page
    assert "data:image/png;base64," in page


def test_a_run_without_log_or_validation_still_has_its_page(tmp_path):
    result = RunResult("bare", (), "vol_dice_mean", (), {})
    assert "No case was validated" in write_run_report(tmp_path, result).read_text()


def test_an_error_picture_shows_correct_missed_and_extra_as_seen():
    image = np.zeros((10, 12, 4), dtype=np.float32)
    predicted, reference = np.zeros((2, *image.shape), dtype=bool)
    predicted[7:9, 9:11, 2] = reference[7:9, 5:7, 2] = True
    reference[1:3, 1:3, 2] = predicted[1:3, 1:3, 2] = True
    found = picture_errors("case", Region.WT, 0.5, image, predicted=predicted, reference=reference)
    assert found.slice == 2
    # RAS: anterior (high J) on top, the patient's left (low I) on the right.
    painted = paint_errors(found)
    height, width = painted.shape[0], painted.shape[1] // 2
    per_voxel = height / 12

    def colour_at(i: int, j: int) -> np.ndarray:
        row, column = (11 - j + 0.5) * per_voxel, width + (9 - i + 0.5) * per_voxel
        return painted[int(row), int(column)].astype(float)

    for name, place in {"extra": (7, 9), "missed": (7, 5), "correct": (1, 1)}.items():
        np.testing.assert_allclose(colour_at(*place), 0.55 * np.array(ERROR_COLOURS[name]), atol=1)
    assert not painted[:, :width].any()
