"""Uploads that nobody goes on with are listed, and cleared away while the server runs."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from bratsseg.service.accounts.roles import Role
from bratsseg.service.housekeeping import KEPT
from bratsseg.service.records import Upload, now
from tests.service.conftest import Site, make_settings, send
from tests.service.test_survival import until


def test_uploads_that_wait_are_listed_for_who_began_them(site, radiologist, scans):
    whole = send(radiologist, scans())["id"]
    radiologist.post(f"/api/v1/uploads/{whole}/complete")
    part = radiologist.post("/api/v1/uploads", json={"files": [{"name": "part.nii.gz", "size": 9}]}).json()["id"]
    page = radiologist.get("/upload").text
    assert f'<a href="/uploads/{whole}">Waits to be confirmed</a>' in page
    assert "part.nii.gz" in page
    assert "part.nii.gz" not in site.client(Role.RADIOLOGIST, Role.VIEWER).get("/upload").text
    assert radiologist.post(f"/uploads/{part}/cancel").status_code == 303
    assert "part.nii.gz" not in radiologist.get("/upload").text


def test_an_old_upload_is_cleared_while_the_server_runs(tmp_path, seed, scans):
    import shutil

    site = Site(make_settings(shutil.copytree(seed, tmp_path / "data"), sweep_minutes=0.002))
    client = site.client(Role.RADIOLOGIST)
    with client:  # the application's own tasks run
        old, young = (send(client, scans())["id"] for _ in range(2))
        with site.context.store.writing() as session:
            session.execute(update(Upload).where(Upload.id == old).values(created_at=now() - KEPT - timedelta(hours=1)))
        until(lambda: client.get(f"/api/v1/uploads/{old}").json()["status"] == "cancelled")
        until(lambda: not (site.settings.uploads / old).exists())
        assert client.get(f"/api/v1/uploads/{young}").json()["status"] == "open"
        assert (site.settings.uploads / young).exists()
    acts = site.client(Role.ADMINISTRATOR).get("/api/v1/audit", params={"object_id": old}).json()["items"]
    assert acts[0]["action"] == "upload.cancelled"
    assert acts[0]["details"] == {"code": "abandoned"}
