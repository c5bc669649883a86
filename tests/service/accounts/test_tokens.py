"""API tokens end: by themselves, by their user, by an administrator, and with the password."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from bratsseg.service.accounts.roles import Role
from bratsseg.service.records import ApiToken, now
from tests.service.conftest import PASSWORD, Site

ANOTHER = "ruderboot zimt 88"


def program(site: Site, viewer: TestClient, label: str = "script") -> tuple[TestClient, str]:
    made = viewer.post("/api/v1/users/me/tokens", json={"label": label}).json()
    client = site.guest()
    client.headers["Authorization"] = f"Bearer {made['secret']}"
    assert client.get("/api/v1/users/me").status_code == 200
    return client, made["id"]


def alive(client: TestClient) -> bool:
    return client.get("/api/v1/users/me").status_code == 200


@pytest.fixture
def viewer(site):
    return site.client(Role.VIEWER)


@pytest.fixture
def admin(site):
    return site.client(Role.ADMINISTRATOR)


def test_a_token_ends_after_its_days(site, viewer):
    client, token = program(site, viewer)
    told = viewer.get("/api/v1/users/me/tokens").json()["items"][0]
    assert told["expires_at"][:10] == f"{now() + timedelta(days=90):%Y-%m-%d}"
    assert told["expires_at"][:10] in viewer.get("/account").text
    with site.context.store.writing() as session:
        session.execute(update(ApiToken).where(ApiToken.id == token).values(expires_at=now()))
    assert not alive(client)
    assert viewer.post("/api/v1/users/me/tokens", json={"label": "x", "days": 1000}).status_code == 422


def test_a_token_makes_no_token_and_changes_no_password(site, viewer):
    client, _ = program(site, viewer)
    answer = client.post("/api/v1/users/me/tokens", json={"label": "another"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_by_token")
    assert client.post("/account/tokens", data={"label": "another"}).status_code == 403
    assert client.post("/account/password", data={"old": PASSWORD, "new": ANOTHER}).status_code == 403
    assert len(viewer.get("/api/v1/users/me/tokens").json()["items"]) == 1


def test_a_new_password_ends_tokens(site, viewer):
    client, _ = program(site, viewer)
    assert viewer.post("/account/password", data={"old": PASSWORD, "new": ANOTHER}).status_code == 200
    assert not alive(client)


def test_a_reset_and_a_switch_off_end_tokens_for_good(site, viewer, admin):
    user = site.user_id(Role.VIEWER)
    first, _ = program(site, viewer)
    admin.patch(f"/api/v1/users/{user}", json={"password": ANOTHER})
    assert not alive(first)
    site.user(Role.VIEWER, name="anna")
    anna = site.logged_in("anna")
    second, _ = program(site, anna)
    me = anna.get("/api/v1/users/me").json()["id"]
    for active in (False, True):
        assert admin.patch(f"/api/v1/users/{me}", json={"active": active}).status_code == 200
    assert not alive(second)


def test_an_administrator_sees_and_revokes_tokens(site, viewer, admin):
    user = site.user_id(Role.VIEWER)
    first, one = program(site, viewer, "of a script")
    second, other = program(site, viewer, "of a pipeline")
    listed = admin.get(f"/api/v1/users/{user}/tokens").json()["items"]
    assert {token["label"] for token in listed} == {"of a script", "of a pipeline"}
    assert "of a pipeline" in admin.get("/users").text
    assert admin.delete(f"/api/v1/users/{user}/tokens/{one}").status_code == 204
    assert admin.post(f"/users/{user}/tokens/{other}/revoke").status_code == 303
    assert not alive(first)
    assert not alive(second)
    assert viewer.delete(f"/api/v1/users/{user}/tokens/{one}").status_code == 403
    assert admin.delete(f"/api/v1/users/{site.user_id(Role.ADMINISTRATOR)}/tokens/{one}").status_code == 404
