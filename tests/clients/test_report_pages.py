"""Report pages in a real Chromium: nothing cut off, no error, no request that leaves the machine, and they work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bratsseg.report.run import build_reports
from tests.clients.chromium import chromium
from tests.report.results import head, tumour, write_refusal, write_result

pytestmark = pytest.mark.client

WIDTHS = (1280, 390)
HOSTILE = "<img src=x onerror=document.title='caught'>"
LONG = "a-name-that-a-hospital-gave-" * 5


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished, refused and hostile cases, with scans, and several scans of one patient."""
    folder = tmp_path_factory.mktemp("pages")
    out, scans = folder / "out", folder / "in"
    study = head()
    for number, radius in enumerate((8, 5, 7)):
        write_result(out, f"BraTS-GLI-00007-00{number}", study, tumour(radii=(radius, radius / 2, radius / 4)), scans)
    needs = {"TC": "needs T1ce", "ET": "needs T1ce"}
    write_result(out, "anna", study, tumour(radii=(6, 0, 0)), scans, not_assessable=needs, warnings=["T2: odd " * 30])
    write_result(out, LONG, study, tumour(radii=(0, 0, 0)), scans)
    write_result(out, HOSTILE, study, tumour(centre=(32, 33, 22)), scans, warnings=[HOSTILE])
    write_refusal(out, "refused", reason=f"{HOSTILE} {'x' * 200}")
    assert not build_reports(out, scans).failed
    return out


class OpenPage:
    """A page on which every word of the console and every request is kept; what is no file is blocked."""

    def __init__(self, browser: Any, path: Path, width: int) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.route("**/*", self._asked)
        self.page.goto(path.as_uri())

    def _asked(self, route: Any) -> None:
        address = route.request.url
        self.asked.append(address)
        if address.startswith(("file:", "data:")):
            route.continue_()
        else:
            route.abort()

    def cut_off(self) -> list[str]:
        """What reaches beyond the right edge of the page."""
        found: list[str] = self.page.evaluate(
            """() => {
                const width = document.documentElement.clientWidth;
                const out = document.documentElement.scrollWidth > width ? ["the page"] : [];
                for (const item of document.querySelectorAll("body *:not(thead, thead *)")) {
                    const box = item.getBoundingClientRect(), name = item.tagName + ": " + item.textContent;
                    const clips = getComputedStyle(item).overflowX !== "visible";
                    if (box.width > 1 && box.right > width + 1) out.push(name.slice(0, 60));
                    if (clips && item.scrollWidth > item.clientWidth + 1) out.push("hidden in " + name.slice(0, 60));
                }
                return out;
            }"""
        )
        return found

    def keep(self, name: str) -> None:
        """A screenshot for human eyes, when BRATSSEG_SCREENSHOTS names a folder."""
        if folder := os.environ.get("BRATSSEG_SCREENSHOTS"):
            for picture in self.page.locator("img").all():
                picture.scroll_into_view_if_needed()
            self.page.evaluate("scrollTo(0, 0)")
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", ["BraTS-GLI-00007-000", "anna", LONG, HOSTILE])
def test_the_page_of_a_case(browser: Any, out: Path, case: str, width: int) -> None:
    opened = OpenPage(browser, out / case / f"{case}_report.html", width)
    opened.keep(f"case-{case[:4].strip('<')}-{width}")
    page = opened.page
    assert opened.cut_off() == []
    assert page.locator("h1").inner_text() == case
    assert page.evaluate("document.documentElement.lang") == "en"
    pictures = page.evaluate("[...document.images].map((i) => [i.complete, i.naturalWidth, i.alt])")
    assert pictures
    assert all(complete and wide > 0 and alt for complete, wide, alt in pictures)
    layers = page.locator("img.layer")
    assert layers.first.is_visible()
    page.locator("#hide").check()
    assert not layers.first.is_visible()
    assert opened.said == []
    assert all(address.startswith(("file:", "data:")) for address in opened.asked)
    assert page.title() == f"{case} – bratsseg report"
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_index_of_a_cohort(browser: Any, out: Path, width: int) -> None:
    opened = OpenPage(browser, out / "index.html", width)
    opened.keep(f"index-{width}")
    page = opened.page
    assert opened.cut_off() == []
    assert page.title() == "bratsseg results"
    assert page.locator("#not-done").inner_text().count("skull_on") == 1
    assert page.evaluate("document.getElementById('not-done').compareDocumentPosition(cases) & 4")
    assert page.locator("#shown").inner_text() == "6 of 6 shown"
    names = page.locator("#cases tbody th")

    page.locator("#order").select_option("2-")
    largest = names.all_inner_texts()
    assert largest[0] == "BraTS-GLI-00007-000"
    assert largest[-1] == LONG
    page.locator("#order").select_option("2+")
    assert names.all_inner_texts()[0] == LONG

    page.locator("#find").fill("gli-00007")
    assert page.locator("#shown").inner_text() == "3 of 6 shown"
    assert sum(name.is_visible() for name in names.all()) == 3
    page.locator("#find").fill("")
    page.locator("#show").select_option("none")
    assert page.locator("#shown").inner_text() == "1 of 6 shown"
    page.locator("#show").select_option("flagged")
    assert page.locator("#shown").inner_text() == "2 of 6 shown"
    page.locator("#show").select_option("")
    assert opened.cut_off() == []
    assert opened.said == []
    assert all(address.startswith("file:") for address in opened.asked)
    page.close()


def test_a_click_on_a_heading_sorts_and_sorts_back(browser: Any, out: Path) -> None:
    opened = OpenPage(browser, out / "index.html", 1280)
    page = opened.page
    head = page.locator("#cases thead th").nth(2)
    names = page.locator("#cases tbody th")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    down = names.all_inner_texts()
    assert down[0] == "BraTS-GLI-00007-000"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names.all_inner_texts()[0] == LONG
    diameters = page.locator("#cases thead th", has_text="ET diameters")
    for _ in range(2):  # what has no number stays last either way
        diameters.get_by_role("button").click()
        assert set(names.all_inner_texts()[-2:]) == {"anna", LONG}
    assert opened.said == []
    page.close()


@pytest.mark.parametrize("case", ["BraTS-GLI-00007-000", HOSTILE])
def test_the_index_leads_to_each_case_and_shows_its_picture(browser: Any, out: Path, case: str) -> None:
    opened = OpenPage(browser, out / "index.html", 1280)
    page = opened.page
    row = page.locator("#cases tbody tr", has=page.get_by_role("link", name=case, exact=True))
    row.scroll_into_view_if_needed()
    picture = row.locator("img").element_handle()
    page.wait_for_function("(picture) => picture.complete && picture.naturalWidth > 0", arg=picture, timeout=20_000)
    row.get_by_role("link").click()
    assert page.locator("h1").inner_text() == case
    assert opened.said == []
    page.close()
