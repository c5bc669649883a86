"""A drawing that is not saved yet outlives log-out and a killed server, and belongs to its reader."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from bratsseg.service.accounts.roles import Role
from bratsseg.service.housekeeping import sweep
from tests.service.results.conftest import correct, decide, fetch, image, nothing_drawn, packed, revision
from tests.service.test_survival import running, until  # noqa: F401  a fixture


def keep(client, result: str, drawn: bytes, comment: str = "", seen: str = ""):
    fields = {"comment": comment, "revision": seen}
    return client.put(f"/api/v1/results/{result}/draft", data=fields, files={"drawing": drawn})


@pytest.fixture
def result(shared):
    _, client, _, (first, _) = shared
    yield first
    client.delete(f"/api/v1/results/{first}/draft")


def test_a_draft_comes_back_after_a_new_log_in(shared, result):
    site, client, *_ = shared
    drawn = nothing_drawn(client, result)
    assert keep(client, result, drawn, "half done", revision(client, result)).status_code == 200
    leaving = site.logged_in("radiologist")
    leaving.post("/logout", data={"csrf_token": leaving.headers["X-CSRF-Token"]})
    assert leaving.get(f"/results/{result}").status_code == 303
    client = site.logged_in("radiologist")
    page = client.get(f"/results/{result}").text
    assert "You have a drawing that is not saved" in page
    assert "<q>half done</q>" in page
    assert client.get(f"/api/v1/results/{result}/draft").content == drawn
    assert client.get(f"/api/v1/results/{result}").json()["corrected"] is None


def test_the_latest_draft_counts_and_earlier_files_go(shared, result):
    site, client, *_ = shared
    labels = image(fetch(client, result, "labels.nii.gz"))
    for _ in range(3):
        keep(client, result, nothing_drawn(client, result))
    last = packed(type(labels)(np.asarray(labels.dataobj), labels.affine))
    keep(client, result, last)
    assert client.get(f"/api/v1/results/{result}/draft").content == last
    assert len(list(site.settings.drafts.iterdir())) == 1
    (site.settings.drafts / "0000000000000000.nii.gz").write_bytes(b"left by a killed request")
    sweep(site.context)
    assert client.get(f"/api/v1/results/{result}/draft").content == last
    assert len(list(site.settings.drafts.iterdir())) == 1


def test_a_draft_belongs_to_its_reader_and_goes_when_it_is_saved(shared, result):
    site, client, *_ = shared
    drawn = nothing_drawn(client, result)
    keep(client, result, drawn)
    other = site.client(Role.RADIOLOGIST, Role.VIEWER)
    assert other.get(f"/api/v1/results/{result}/draft").status_code == 404
    assert "You have a drawing" not in other.get(f"/results/{result}").text
    keep(other, result, drawn)
    assert correct(client, result, drawn).status_code == 201
    assert client.get(f"/api/v1/results/{result}/draft").status_code == 404
    assert other.get(f"/api/v1/results/{result}/draft").status_code == 200
    assert "This result was reviewed since you began it" in other.get(f"/results/{result}").text
    assert other.delete(f"/api/v1/results/{result}/draft").status_code == 204
    assert other.get(f"/api/v1/results/{result}/draft").status_code == 404


def test_a_draft_on_a_result_that_changed_is_kept_all_the_same(shared, result):
    _, client, *_ = shared
    seen = revision(client, result)
    decide(client, result, "reject")
    kept = keep(client, result, nothing_drawn(client, result), seen=seen)
    assert (kept.status_code, kept.json()["stale"]) == (200, True)
    assert keep(client, result, b"no gzip").status_code == 422
    assert keep(client, "0" * 16, nothing_drawn(client, result)).status_code == 404


def test_a_draft_survives_a_killed_server(site, running, scans, radiologist):  # noqa: F811
    from tests.service.conftest import accept, finish

    made = finish(site, radiologist, accept(radiologist, scans()).json()["job_id"])["result_id"]
    start, client, *_ = running
    server = start()
    drawn = nothing_drawn(radiologist, made)
    assert keep(client, made, drawn).status_code == 200
    os.kill(server.pid, signal.SIGKILL)
    server.join()
    start()
    assert until(lambda: client.get(f"/api/v1/results/{made}/draft").content == drawn)


def test_a_window_never_writes_over_the_drawing_of_another(shared, result):
    site, client, *_ = shared
    drawn = nothing_drawn(client, result)

    def from_window(name: str, replaces: str = "") -> int:
        fields = {"window": name, "replaces": replaces}
        path = f"/api/v1/results/{result}/draft"
        return client.put(path, data=fields, files={"drawing": drawn}).status_code

    assert from_window("first") == 200
    assert from_window("first") == 200
    assert from_window("second") == 409
    assert from_window("second", replaces="first") == 200
    assert from_window("first") == 409
    assert len(list(site.settings.drafts.iterdir())) == 1


def test_drawings_that_wait_are_bounded(shared, result, monkeypatch):
    site, client, _, (_, other) = shared
    drawn = nothing_drawn(client, result)
    limits = site.settings.limits.model_copy(update={"drafts": 1})
    monkeypatch.setitem(site.settings.__dict__, "limits", limits)
    assert keep(client, result, drawn).status_code == 200
    refused = keep(client, other, drawn)
    assert (refused.status_code, refused.json()["code"]) == (413, "quota_full")
    assert keep(client, result, drawn).status_code == 200, "one that waits already goes on"
