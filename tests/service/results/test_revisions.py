"""Nobody accepts what nobody saw: a decision about an older state of a result is refused, and told why."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bratsseg.service.accounts.roles import Role
from bratsseg.service.results import reviews
from tests.service.results.conftest import correct, decide, nothing_drawn, revision
from tests.service.test_gate import listening


@pytest.fixture
def other(shared):
    """Another reader, called grace."""
    site, *_ = shared
    if not site.knows("grace"):
        site.user(Role.RADIOLOGIST, name="grace")
    return site.logged_in("grace")


def test_a_stale_accept_is_told_what_changed_by_whom_and_when(shared, other):
    _, client, _, (first, _) = shared
    seen = revision(client, first)
    made = correct(other, first, nothing_drawn(other, first), "nothing there")
    assert made.status_code == 201, made.text
    answer = decide(client, first, "accept", seen=seen)
    assert (answer.status_code, answer.json()["code"]) == (409, "result_changed")
    told = answer.json()["message"]
    assert "grace saved a correction on 20" in told
    assert "0.00 mL now" in told
    assert answer.json()["revision"] == made.json()["id"] == revision(client, first)
    assert decide(client, first, "accept").status_code == 201
    decisions = [review["decision"] for review in client.get(f"/api/v1/results/{first}").json()["reviews"]]
    assert decisions == ["correct", "accept"]


def test_a_decision_that_does_not_say_what_was_seen_is_refused(shared):
    _, client, _, (_, second) = shared
    address = f"/api/v1/results/{second}"
    without = client.post(f"{address}/reviews", json={"decision": "accept"})
    assert (without.status_code, without.json()["code"]) == (428, "revision_missing")
    drawn = nothing_drawn(client, second)
    assert client.put(f"{address}/correction", content=drawn).status_code == 428
    assert client.post(f"/results/{second}/review", data={"decision": "accept"}).status_code == 428
    assert client.get(address).json()["reviews"] == []
    etag = client.get(address).headers["etag"]
    kept = client.post(f"{address}/reviews", json={"decision": "accept"}, headers={"If-Match": etag})
    assert kept.status_code == 201, kept.text
    assert client.put(f"{address}/correction", content=drawn, headers={"If-Match": etag}).status_code == 409


def test_a_comment_is_plain_text(shared):
    _, client, _, (_, second) = shared
    assert decide(client, second, "accept", "two\nlines").status_code == 201
    assert decide(client, second, "accept", "a \x00 or \x1b[2J").status_code == 422


def test_the_page_shows_what_changed_and_keeps_what_was_typed(shared, other):
    _, client, _, (_, second) = shared
    seen = revision(client, second)
    decide(other, second, "reject", "motion")
    form = {"decision": "accept", "comment": "looks right to me", "revision": seen}
    answer = client.post(f"/results/{second}/review", data=form)
    assert answer.status_code == 409
    assert "grace rejected it on" in answer.text
    assert "looks right to me</textarea>" in answer.text
    assert f'name="revision" value="{revision(client, second)}"' in answer.text


def save(port: int, reader, result: str, drawn: bytes, seen: str) -> int:
    """Save a correction as a browser does, over a socket."""
    address = f"http://127.0.0.1:{port}/api/v1/results/{result}/correction"
    cookies, headers = dict(reader.cookies), {"X-CSRF-Token": reader.headers["X-CSRF-Token"]}
    sent = httpx.put(
        address, data={"revision": seen}, files={"drawing": drawn}, cookies=cookies, headers=headers, timeout=60
    )
    return sent.status_code


def test_of_two_readers_who_save_at_once_one_is_told(shared, other):
    site, client, _, (_, second) = shared
    drawn, seen = nothing_drawn(client, second), revision(client, second)
    with listening(site) as port, ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda reader: save(port, reader, second, drawn, seen), (client, other)))
    assert sorted(codes) == [201, 409]


def test_an_accept_while_a_correction_is_measured_comes_first(shared, other, monkeypatch):
    site, client, _, (first, _) = shared
    drawn, seen = nothing_drawn(client, first), revision(client, first)
    begun, go, write = threading.Event(), threading.Event(), reviews._write

    def held(*given):
        begun.set()
        assert go.wait(60)
        return write(*given)

    monkeypatch.setattr(reviews, "_write", held)
    with listening(site) as port, ThreadPoolExecutor(1) as pool:
        saving = pool.submit(save, port, client, first, drawn, seen)
        assert begun.wait(60)
        assert decide(other, first, "accept", "before the other was through", seen=seen).status_code == 201
        go.set()
        assert saving.result() == 409
    assert client.get(f"/api/v1/results/{first}").json()["decision"] == "accept"
    assert not [path for path in site.settings.corrections.iterdir() if not any(path.iterdir())]


def test_a_revision_that_names_no_state_is_refused_and_told(shared):
    _, client, _, (first, second) = shared
    answer = decide(client, first, "accept", seen="*")
    assert (answer.status_code, answer.json()["code"]) == (409, "result_changed")
    assert "names no state of this result" in answer.json()["message"]
    of_another = decide(client, first, "accept", seen=second)
    assert "names no state of this result" in of_another.json()["message"]
