from __future__ import annotations

from pathlib import Path

import pytest

from bratsseg.results.record import CaseRecord
from bratsseg.study.quality import REVIEW_BELOW, Answer, RegionQuality, quality_flags, review_first
from bratsseg.study.regions import Region
from tests.report.results import make_record


def quality(dice: float | None) -> dict[Region, RegionQuality]:
    answer = Answer.NOT_ASSESSABLE if dice is None else Answer.FOUND
    return {Region.WT: RegionQuality(answer=answer, predicted_dice=dice)}


@pytest.mark.parametrize(
    ("dice", "first"), [(REVIEW_BELOW - 0.01, True), (REVIEW_BELOW, False), (1.0, False), (None, False)]
)
def test_a_case_of_low_predicted_dice_is_reviewed_first(dice, first):
    assert review_first(quality(dice)) is first
    assert bool(quality_flags(quality(dice))) is first


def test_a_record_without_figures_says_nothing():
    record = CaseRecord.model_validate(make_record("anna"))
    assert record is not None
    assert not review_first(record.quality)
    assert quality_flags(record.quality) == ()


def test_an_earlier_record_does_not_tell_a_dice_of_nothing():
    """Earlier versions called 1 less the chance of a miss the predicted Dice of a region that was not found."""
    before = {"WT": {"answer": "none found", "predicted_dice": 0.7}, "TC": {"answer": "found", "predicted_dice": 0.9}}
    record = CaseRecord.model_validate(make_record("anna", quality=before))
    assert record.quality[Region.WT].predicted_dice is None
    assert record.quality[Region.WT].missed_chance == pytest.approx(0.3)
    assert record.quality[Region.TC].predicted_dice == 0.9
    assert quality_flags(record.quality) == (
        "review first: no tumour was found, with a chance of 0.30 that one was missed, above 0.2",
    )


def test_a_record_keeps_the_verdict_of_its_model():
    sure = RegionQuality(answer=Answer.FOUND, predicted_dice=0.95, review="its model says so")
    assert quality_flags({Region.WT: sure}) == ("review first: its model says so",)
    unsure = RegionQuality(answer=Answer.FOUND, predicted_dice=0.1, review="")
    assert not review_first({Region.WT: unsure})
    kept = RegionQuality.model_validate_json(sure.model_dump_json())
    assert kept == sure


def test_a_record_of_a_later_version_is_still_understood():
    later = {"WT": {"answer": "found", "predicted_dice": 0.9, "surface_dice": 0.8}}
    record = CaseRecord.model_validate(make_record("anna", quality=later))
    assert record is not None
    assert record.quality[Region.WT].predicted_dice == 0.9


def test_the_readme_names_the_threshold():
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"has less than {REVIEW_BELOW:g} is".replace("0.", ".") in readme.replace("\n", " ")
