"""Pages of evaluations and of training runs in a real Chromium: nothing cut off, no error, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bratsseg.evaluation import evaluate_folders, summarise
from bratsseg.evaluation.comparison import compare_evaluations
from bratsseg.evaluation.lesion_rules import lesion_rules
from bratsseg.report.evaluation_report import write_evaluation_report
from bratsseg.report.run_report import write_run_report
from tests.clients.test_report_pages import HOSTILE, WIDTHS, OpenPage, browser
from tests.evaluation.test_folders import labels, save, save_ours
from tests.report.test_run_report import a_run

__all__ = ["browser"]
pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    ours, other, truth = folder / "ours", folder / "other", folder / "truth"
    for number in range(6):
        case = f"BraTS2021_0000{number}"
        save_ours(ours, case, labels(shift=number % 3))
        save_ours(other, case, labels(shift=(number + 1) % 3))
        if number < 5:
            save(truth / f"{case}_seg.nii.gz", labels(enhancing=4, shift=number // 2))
    save_ours(ours, "BraTS2021_00009", labels() * 0)
    save(truth / "BraTS2021_00009_seg.nii.gz", labels(enhancing=4))
    save(truth / "BraTS2021_00011_seg.nii.gz", labels(enhancing=4))
    found = [evaluate_folders(side, truth, rules=lesion_rules("GLI", 2023)) for side in (ours, other)]
    write_evaluation_report(found[0], summarise(found[0].scores), HOSTILE, folder, compare_evaluations(*found))
    run = folder / "run"
    run.mkdir()
    rows = [f"{epoch},{epoch},1.0,0.1,{1 / (epoch + 1)},{epoch / 50}" for epoch in range(40)]
    (run / "log.csv").write_text("\n".join(["epoch,step,seconds,learning_rate,loss,vol_dice_mean", *rows]))
    write_run_report(run, a_run(HOSTILE))
    return folder


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_an_evaluation(browser: Any, pages: Path, width: int) -> None:
    opened = OpenPage(browser, pages / "report.html", width)
    opened.keep(f"evaluation-{width}")
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator("#unscored tbody tr").count() == 2
    names = page.locator("#cases tbody th")
    assert names.first.inner_text() == "BraTS2021_00009"
    page.locator("#order").select_option("2-")
    assert names.all_inner_texts()[-1] == "BraTS2021_00009"
    page.locator("#show").select_option("missed")
    assert page.locator("#shown").inner_text() == "1 of 6 shown"
    assert page.title() == f"Evaluation of {HOSTILE}"
    assert opened.said == []
    assert all(address.startswith(("file:", "data:")) for address in opened.asked)
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_run(browser: Any, pages: Path, width: int) -> None:
    opened = OpenPage(browser, pages / "run" / "report.html", width)
    opened.keep(f"run-{width}")
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator("#cases tbody th").all_inner_texts() == ["missed", "poor", "good"]
    assert page.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth > 0 && i.alt)")
    assert page.title() == f"Training run {HOSTILE}"
    assert opened.said == []
    assert all(address.startswith(("file:", "data:")) for address in opened.asked)
    page.close()
