"""Every label of a chart lies inside its picture, however long its numbers are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest

from bratsseg.evaluation.agreement import bland_altman
from bratsseg.report.agreement_chart import agreement_chart
from bratsseg.report.charts import curves, histogram
from bratsseg.report.curve import progress_chart
from bratsseg.study.regions import Region

DEJAVU_DIGIT = 0.636 * 11
LONG = (1.2345e-05, 4.5678e-05), (0.123456, 0.987654), (-123.456, 1234567.0), (1e-12, 2e-12)
DAYS = str(date(2019, 1, 11)), str(date(2020, 1, 11))
CHARTS: dict[str, Callable[[float, float], str]] = {
    "progress": lambda low, high: progress_chart([(1, low), (2, high)], "score"),
    "histogram": lambda low, high: histogram([low, high, *([high] * 12_345)]),
    "volumes": lambda low, high: curves([0, 1], {Region.WT: [abs(low), high]}, *DAYS),
    "agreement": lambda low, high: agreement_chart(
        [low, high, high], [high, low, low / 3], bland_altman([low, high, high], [high, low, low / 3]), Region.WT
    ),
}


@pytest.mark.parametrize(("low", "high"), LONG)
@pytest.mark.parametrize("chart", CHARTS)
def test_labels_lie_inside_the_picture(chart: str, low: float, high: float) -> None:
    drawn = str(CHARTS[chart](low, high))
    assert 'font-size="11"' in drawn
    texts = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(start|end)">([^<]*)</text>', drawn)
    assert len(texts) == 4
    for x, anchor, text in texts:
        width = len(text) * DEJAVU_DIGIT
        assert float(x) - width >= 0 if anchor == "end" else float(x) + width <= 320, text
