"""Heavy work waits for its turn, within bounds, and nobody else waits for it."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bratsseg.service.accounts.roles import Role
from bratsseg.service.intake import completion
from bratsseg.service.settings import Limits
from tests.service.conftest import Site, accept, make_settings, send
from tests.service.test_gate import listening


def limited(tmp_path, seed, **limits: int) -> Site:
    return Site(make_settings(shutil.copytree(seed, tmp_path / "data"), limits=Limits(**limits)))


def test_thirty_checks_of_one_upload_leave_others_served(site: Site, scans, monkeypatch):
    reader = site.client(Role.RADIOLOGIST)
    secret = reader.post("/api/v1/users/me/tokens", json={"label": "x"}).json()["secret"]
    upload = send(reader, scans())["id"]
    begun, go, check = threading.Event(), threading.Event(), completion.check_scan

    def held(*given, **named):
        begun.set()
        assert go.wait(60)
        return check(*given, **named)

    monkeypatch.setattr(completion, "check_scan", held)
    with listening(site) as port, ThreadPoolExecutor(30) as pool:
        address, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {secret}"}

        def complete(_: int) -> int:
            path = f"{address}/api/v1/uploads/{upload}/complete"
            return httpx.post(path, headers=headers, timeout=60).status_code

        asked = [pool.submit(complete, number) for number in range(30)]
        assert begun.wait(60)
        for path in ("/healthz", "/login", "/api/v1/jobs", "/api/v1/studies"):
            assert httpx.get(address + path, headers=headers, timeout=30).status_code == 200
        refused = [one.result() for one in asked if one.done()]
        go.set()
        codes = Counter(one.result() for one in asked)
    assert set(refused) <= {429}
    assert codes == {200: 4, 429: 26}
    assert reader.get(f"/api/v1/uploads/{upload}").json()["status"] == "checked"


def test_a_piece_does_not_wait_for_a_long_check(site: Site, radiologist, scans, monkeypatch):
    from bratsseg.service.intake import pieces

    monkeypatch.setattr(pieces, "_PATIENCE", 0.0)
    upload = send(radiologist, scans())
    with pieces.one_at_a_time(upload["id"]):
        path = f"/api/v1/uploads/{upload['id']}/files/{upload['files'][0]['id']}"
        answer = radiologist.patch(path, headers={"Upload-Offset": "0"}, content=b"x")
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert not pieces._LOCKS


@pytest.mark.parametrize(
    ("limits", "code", "told"),
    [
        ({"study_voxels": 90_000}, "study_too_large", "have at most 90,000 voxels together"),
        ({"volume": 50_000}, "too_large", "MiB of voxels"),
    ],
)
def test_a_study_that_would_take_too_much_memory_is_refused(tmp_path, seed, scans, limits, code, told):
    site = limited(tmp_path, seed, **limits)
    reader = site.client(Role.RADIOLOGIST)
    answer = accept(reader, scans())
    assert (answer.status_code, answer.json()["code"]) == (413, code), answer.text
    assert told in answer.json()["message"]
    site.context.close()


@pytest.mark.parametrize("limits", [{"unfinished": 2}, {"unfinished_bytes": 250}])
def test_nobody_fills_the_disk_with_unfinished_uploads(tmp_path, seed, limits):
    site = limited(tmp_path, seed, **limits)
    reader = site.client(Role.RADIOLOGIST)
    announced = {"files": [{"name": "a.nii.gz", "size": 100}]}
    begun = [reader.post("/api/v1/uploads", json=announced) for _ in range(3)]
    assert [answer.status_code for answer in begun] == [201, 201, 413]
    assert begun[2].json()["code"] == "quota_full"
    assert site.client(Role.RADIOLOGIST, Role.VIEWER).post("/api/v1/uploads", json=announced).status_code == 201
    assert reader.delete(f"/api/v1/uploads/{begun[0].json()['id']}").status_code == 204
    assert reader.post("/api/v1/uploads", json=announced).status_code == 201
    site.context.close()
