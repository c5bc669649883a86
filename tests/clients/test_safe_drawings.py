"""What a reader has drawn is never lost, and nobody accepts what nobody saw: in a real Chromium."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from bratsseg.service.records import LoginSession, now
from tests.clients.test_service_pages import (  # noqa: F401  fixtures
    STRAIGHT,
    Reader,
    at,
    browser,
    reader,
    results,
    served,
    session,
    write_scans,
)
from tests.service.conftest import PASSWORD
from tests.service.results.conftest import decide

pytestmark = pytest.mark.client


def draw(reader: Any, result: str, strokes: int) -> Any:  # noqa: F811
    """Open a result and paint so many balls with the keyboard, each at another place."""
    page = reader.view(result)
    reader.go_to(at(STRAIGHT, np.array([34.0, 20.0, 22.0])))
    page.locator("#canvas").focus()
    page.keyboard.press("d")
    for _ in range(strokes):
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowLeft")
    return page


def painted(page: Any) -> int:
    """Voxels of the drawing that are not 0."""
    return int(
        page.evaluate("document.getElementById('canvas').viewer.scene.nv.drawBitmap.reduce((n, v) => n + !!v, 0)")
    )


def kept(page: Any) -> None:
    page.locator("#draft-status", has_text="draft kept").wait_for(timeout=20_000)


def test_undo_and_redo_go_all_the_way_with_the_usual_keys(reader, results):  # noqa: F811
    page = draw(reader, results["straight"], 0)
    counts = [painted(page)]
    for _ in range(12):
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowLeft")
        counts.append(painted(page))
    assert len(set(counts)) == 13
    for count in reversed(counts[:-1]):
        page.keyboard.press("Control+z")
        assert painted(page) == count
    page.keyboard.press("Control+z")
    assert painted(page) == counts[0]
    for count, keys in zip(counts[1:], ["Control+y", "Control+Shift+z"] * 6, strict=True):
        page.keyboard.press(keys)
        assert painted(page) == count
    page.keyboard.press("u")
    page.keyboard.press("Enter")  # drawn anew: what was undone cannot be done again
    assert page.locator("#redo").is_disabled()
    assert page.get_by_role("button", name="Accept").is_disabled()
    page.locator("#cancel").click()
    page.keyboard.press("Escape")
    assert page.locator("#drawing").is_visible(), "discarding asks"
    page.locator("#cancel").click()
    page.get_by_role("button", name="Discard the drawing").click()
    page.locator("#drawing").wait_for(state="hidden")
    assert page.get_by_role("button", name="Accept").is_enabled()
    reader.view(results["straight"])
    assert page.locator("#draft-offer").count() == 0


def test_a_drawing_survives_a_closed_tab(browser, served, session, results):  # noqa: F811
    first = Reader(browser, served[1], session=session)
    page = draw(first, results["straight"], 3)
    page.get_by_label("Comment").fill("three balls")
    drawn = painted(page)
    kept(page)
    first.keep("draft-kept")
    first.close()
    second = Reader(browser, served[1], session=session)
    page = second.view(results["straight"])
    second.keep("draft-offered")
    page.get_by_role("button", name="Correct", exact=False).click()
    assert not page.locator("#drawing").is_visible(), "a drawing that waits is not written over"
    page.get_by_role("button", name="Go on with the drawing").click()
    page.locator("#drawing").wait_for()
    assert painted(page) == drawn
    assert page.get_by_label("Comment").input_value() == "three balls"
    page.get_by_role("button", name="Save the correction").click()
    page.get_by_text("correct by rosalind").first.wait_for()
    second.ready()
    assert page.locator("#draft-offer").count() == 0
    second.close()


def test_a_drawing_survives_a_server_that_is_away(browser, served, results):  # noqa: F811
    reader = Reader(browser, served[1])  # noqa: F811
    page, away = reader.view(results["nothing"]), [True]
    page.route("**/draft", lambda route: route.abort("connectionrefused") if away[0] else route.fallback())
    draw(reader, results["nothing"], 1)
    page.locator("#draft-status", has_text="the server cannot be reached").wait_for(timeout=20_000)
    away[0] = False
    kept(page)
    page.locator("#cancel").click()
    page.get_by_role("button", name="Discard the drawing").click()
    page.locator("#drawing").wait_for(state="hidden")
    reader.wrong.clear()
    reader.close()


def test_a_drawing_survives_the_end_of_its_session(browser, served, results):  # noqa: F811
    site, address = served
    reader = Reader(browser, address)  # noqa: F811  a session of its own, which ends
    page = draw(reader, results["nothing"], 1)
    kept(page)
    with site.context.store.writing() as rows:
        rows.execute(update(LoginSession).values(ended_at=now()))
    page.locator("#canvas").focus()
    page.keyboard.press("Enter")
    page.locator("#draft-status", has_text="you are logged out").wait_for(timeout=20_000)
    reader.keep("draft-logged-out")
    drawn = painted(page)
    other = reader.window.new_page()
    other.goto(f"{address}/login")
    other.get_by_label("Name").fill("rosalind")
    other.get_by_label("Password").fill(PASSWORD)
    other.keyboard.press("Enter")
    other.wait_for_url(f"{address}/")
    kept(page)
    assert painted(page) == drawn
    page.get_by_role("button", name="Save the correction").click()
    reader.ready()
    page.locator("#drawing").wait_for(state="hidden")
    assert all("401" in said or "403" in said for said in reader.wrong)
    reader.wrong.clear()
    reader.close()


def test_a_correction_of_what_changed_meanwhile_is_told_and_kept(browser, served, results):  # noqa: F811
    site, address = served
    reader = Reader(browser, address)  # noqa: F811
    page = draw(reader, results["oblique"], 1)
    if not site.knows("grace"):
        site.user("radiologist", name="grace")
    decide(site.logged_in("grace"), results["oblique"], "reject", "wrong side")
    page.get_by_role("button", name="Save the correction").click()
    page.locator("#draft-status", has_text="grace rejected it on").wait_for()
    reader.keep("correction-refused")
    page.get_by_role("link", name="Open the result as it is now").click()
    reader.ready()
    assert page.get_by_text("This result was reviewed since you began it").is_visible()
    reader.keep("draft-stale")
    page.get_by_role("button", name="Go on with the drawing").click()
    page.get_by_role("button", name="Save the correction").click()
    page.get_by_text("correct by rosalind").wait_for()
    reader.ready()
    reader.wrong.clear()
    reader.close()


def test_a_stale_accept_shows_what_changed(browser, served, results):  # noqa: F811
    site, address = served
    reader = Reader(browser, address, 1440)  # noqa: F811
    page = reader.view(results["straight"])
    if not site.knows("grace"):
        site.user("radiologist", name="grace")
    decide(site.logged_in("grace"), results["straight"], "reject", "motion")
    page.get_by_label("Comment").fill("fine")
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("grace rejected it on").first.wait_for()
    reader.ready()
    assert page.get_by_label("Comment").input_value() == "fine"
    reader.keep("accept-refused")
    reader.wrong.clear()
    reader.close()


def test_the_pages_of_moving_and_confirming(browser, served, results, tmp_path):  # noqa: F811
    _, address = served
    reader = Reader(browser, address, 1440)  # noqa: F811
    page = reader.page
    for name, number in (("Meyer, Anna", "P-1"), ("Mayer, Ann", "P-2")):
        reader.open("/patients/new")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Number").fill(number)
        page.get_by_role("button", name="Save").click()
        page.get_by_role("heading", name=name).wait_for()
    page.get_by_role("link", name="Upload a study").click()
    page.locator("#files").set_input_files(write_scans(tmp_path / "wrong", STRAIGHT, 40))
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="Which scan is which?").wait_for()
    page.get_by_role("button", name="This is right: segment").click()
    page.get_by_text("say the day of the scan, or that it is unknown").wait_for()
    reader.keep("confirm-refused")
    reader.open("/upload")
    reader.keep("upload-waiting")
    page.get_by_role("link", name="Waits to be confirmed").click()
    page.get_by_label("The day is unknown").check()
    page.get_by_role("button", name="This is right: segment").click()
    page.locator("#job-result").click(timeout=60_000)
    reader.ready()
    page.get_by_role("link", name="study of an unknown day").click()
    reader.keep("study")
    page.get_by_role("link", name="Move to another patient, or change the day").click()
    page.get_by_label("Name or number of the patient").fill("meyer")
    page.get_by_role("button", name="Search").click()
    page.get_by_label("Meyer, Anna").check()
    reader.keep("move")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Meyer, Anna").wait_for()
    reader.keep("moved")
    assert page.get_by_text("day unknown").count() >= 1
    reader.wrong.clear()
    reader.close()
