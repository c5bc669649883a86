"""Log-in, sessions, tokens, forged requests, and what a stranger may try."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DatabaseError

from bratsseg.service.accounts.roles import Role
from bratsseg.service.records import AuditEntry, LoginSession, now
from bratsseg.service.settings import AccountRules
from tests.service.conftest import PASSWORD, Site, log_in, make_settings, send, token


def test_a_session_is_new_at_log_in_and_gone_after_log_out(site):
    site.user(Role.VIEWER, name="anna")
    client = site.guest()
    client.cookies.set("bratsseg", "planted-by-somebody-else")
    answer = log_in(client, "anna", target="/jobs")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("bratsseg="))
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    secret = cookie.partition("=")[2].partition(";")[0]
    assert secret != "planted-by-somebody-else"
    client.cookies.clear()
    client.cookies.set("bratsseg", secret)
    page = client.get("/jobs")
    assert page.status_code == 200
    assert client.post("/logout", data={"csrf_token": token(page.text)}).status_code == 303
    client.cookies.set("bratsseg", secret)
    assert client.get("/jobs").status_code == 303


def test_over_https_cookies_are_secure_and_bound_to_the_host(tmp_path):
    site = Site(make_settings(tmp_path / "data", https=True))
    site.user(Role.VIEWER, name="anna")
    client = site.guest()
    client.base_url = "https://testserver"
    answer = log_in(client, "anna")
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("__Host-"))
    assert "Secure" in cookie
    assert "Path=/" in cookie
    login = client.get("/login").headers["set-cookie"]
    assert login.startswith("__Host-bratsseg-login=")
    assert "max-age" in answer.headers["strict-transport-security"]
    site.context.close()


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"])
def test_log_in_never_leads_to_another_site(site, target):
    site.user(Role.VIEWER, name="anna")
    assert log_in(site.guest(), "anna", target=target).headers["location"] == "/"


def test_wrong_passwords_are_counted(site):
    site.user(Role.VIEWER, name="anna")
    client = site.guest()
    for _ in range(site.settings.accounts.failures):
        assert log_in(client, "anna", "wrong").status_code == 401
    refused = log_in(client, "anna")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


def test_too_many_requests_are_refused(tmp_path):
    site = Site(make_settings(tmp_path / "data", accounts=AccountRules(burst=10, requests_per_second=0.01)))
    viewer = site.client(Role.VIEWER)
    codes = [viewer.get("/api/v1/users/me").status_code for _ in range(12)]
    assert (codes[0], codes[-1]) == (200, 429)
    site.context.close()


def test_an_idle_session_ends(site):
    viewer = site.client(Role.VIEWER)
    old = now() - timedelta(minutes=site.settings.accounts.idle_minutes + 1)
    with site.context.store.writing() as session:
        session.execute(update(LoginSession).values(seen_at=old))
    assert viewer.get("/jobs").status_code == 303


def test_a_forged_request_is_refused(site):
    keeper = site.client(Role.DATA_MANAGER)
    good = keeper.headers.pop("X-CSRF-Token")
    patient = {"number": "1", "name": "A"}
    assert keeper.post("/api/v1/patients", json=patient).json()["code"] == "forged"
    assert keeper.post("/patients/new", data=patient).status_code == 403
    assert keeper.post("/patients/new", data=patient | {"csrf_token": "x"}).status_code == 403
    for elsewhere in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = keeper.post("/api/v1/patients", json=patient, headers={"X-CSRF-Token": good, **elsewhere})
        assert answer.status_code == 403
    assert keeper.get("/api/v1/patients").json()["total"] == 0
    assert keeper.post("/patients/new", data=patient | {"csrf_token": good}).status_code == 303


def test_log_in_cannot_be_forged_either(site):
    site.user(Role.VIEWER, name="anna")
    client = site.guest()
    assert client.post("/login", data={"name": "anna", "password": PASSWORD}).status_code == 403


def test_a_token_works_without_a_browser_until_it_is_revoked(site):
    viewer = site.client(Role.VIEWER)
    made = viewer.post("/api/v1/users/me/tokens", json={"label": "script"}).json()
    program = site.guest()
    program.headers["Authorization"] = f"Bearer {made['secret']}"
    assert program.get("/api/v1/users/me").json()["roles"] == ["viewer"]
    assert program.post("/api/v1/uploads", json={"files": []}).status_code == 403
    assert made["secret"] not in viewer.get("/api/v1/users/me/tokens").text
    assert viewer.delete(f"/api/v1/users/me/tokens/{made['id']}").status_code == 204
    assert program.get("/api/v1/users/me").status_code == 401


def test_an_administrator_makes_and_switches_off_users(site):
    admin = site.client(Role.ADMINISTRATOR)
    made = admin.post("/api/v1/users", json={"name": "bert", "password": PASSWORD, "roles": ["viewer"]})
    assert made.status_code == 201
    again = {"name": "bert", "password": PASSWORD, "roles": ["viewer"]}
    assert admin.post("/api/v1/users", json=again).json()["code"] == "name_taken"
    short = {"name": "carl", "password": "short", "roles": ["viewer"]}
    assert admin.post("/api/v1/users", json=short).json()["code"] == "password_unfit"
    bert = site.guest()
    log_in(bert, "bert")
    assert bert.get("/jobs").status_code == 200
    assert admin.patch(f"/api/v1/users/{made.json()['id']}", json={"active": False}).status_code == 200
    assert bert.get("/jobs").status_code == 303
    me = admin.get("/api/v1/users/me").json()["id"]
    assert admin.patch(f"/api/v1/users/{me}", json={"active": False}).json()["code"] == "last_administrator"


def test_a_new_password_ends_the_other_sessions(site):
    viewer = site.client(Role.VIEWER)
    other = site.guest()
    log_in(other, "viewer")
    fields = {"csrf_token": viewer.headers["X-CSRF-Token"], "old": PASSWORD, "new": "another long one"}
    assert viewer.post("/account/password", data=fields).status_code == 200
    assert viewer.get("/account").status_code == 200
    assert other.get("/account").status_code == 303


def test_the_audit_keeps_reads_and_nobody_can_change_it(site):
    keeper, admin = site.client(Role.DATA_MANAGER), site.client(Role.ADMINISTRATOR)
    patient = keeper.post("/api/v1/patients", json={"number": "1", "name": "Secret Name"}).json()["id"]
    keeper.get(f"/patients/{patient}")
    acts = admin.get("/api/v1/audit", params={"object_id": patient}).json()
    assert [entry["action"] for entry in acts["items"]] == ["patient.read", "patient.create"]
    assert "Secret Name" not in admin.get("/api/v1/audit", params={"per_page": 100}).text
    for change in (update(AuditEntry).values(action="x"), AuditEntry.__table__.delete()):
        with pytest.raises(DatabaseError, match="audit rows never"), site.context.store.writing() as session:
            session.execute(change)


def test_every_answer_forbids_foreign_scripts_and_caches(site):
    viewer = site.client(Role.VIEWER)
    for path in ("/", "/login", "/api/v1/users/me", "/nowhere", "/static/page.css"):
        headers = viewer.get(path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")
    assert "<script>" not in viewer.get("/").text
    assert "style=" not in viewer.get("/").text


def test_logging_in_as_another_user_ends_the_old_session(site):
    site.user(Role.VIEWER, name="anna")
    client = site.client(Role.RADIOLOGIST)
    before = client.cookies["bratsseg"]
    form = client.get("/login").text.partition('action="/login"')[2]
    fields = {"csrf_token": token(form), "name": "anna", "password": PASSWORD, "next": "/"}
    assert client.post("/login", data=fields).status_code == 303
    assert client.get("/api/v1/users/me").json()["name"] == "anna"
    old = site.guest()
    old.cookies.set("bratsseg", before)
    assert old.get("/account").status_code == 303


def test_wrong_passwords_at_once_count_like_one_after_another(site):
    site.user(Role.VIEWER, name="anna")
    with ThreadPoolExecutor(10) as pool:
        codes = [answer.status_code for answer in pool.map(lambda _: log_in(site.guest(), "anna", "wrong"), range(10))]
    assert sorted(codes) == [401] * site.settings.accounts.failures + [429] * (10 - site.settings.accounts.failures)


def test_right_passwords_are_not_counted(site):
    site.user(Role.VIEWER, name="anna")
    for _ in range(site.settings.accounts.failures + 1):
        assert log_in(site.guest(), "anna").status_code == 303


def test_a_user_never_keeps_a_role_that_was_unticked(site):
    admin = site.client(Role.ADMINISTRATOR)
    user = site.user_id(Role.VIEWER)
    form = {"csrf_token": admin.headers["X-CSRF-Token"], "active": "on"}
    refused = admin.post(f"/users/{user}", data=form)
    assert refused.status_code == 422
    assert "role_missing" in refused.text
    assert admin.post(f"/users/{user}", data=form | {"role": "radiologist"}).status_code == 303
    acts = admin.get("/api/v1/audit", params={"object_id": user}).json()["items"]
    assert [act["details"] for act in acts] == [{"roles": ["radiologist"], "active": True, "password": False}]


def test_the_audit_keeps_whom_the_upload_pages_show(site, radiologist, scans):
    patient = radiologist.post("/api/v1/patients", json={"number": "1", "name": "Meyer"}).json()["id"]
    upload = send(radiologist, scans())
    radiologist.post(f"/api/v1/uploads/{upload['id']}/complete")
    assert "Meyer" in radiologist.get("/upload", params={"patient": patient}).text
    assert "Meyer" in radiologist.get(f"/uploads/{upload['id']}").text
    admin = site.client(Role.ADMINISTRATOR)
    assert admin.get("/api/v1/audit", params={"action": "patient.read"}).json()["items"][0]["object_id"] == patient
    assert admin.get("/api/v1/audit", params={"action": "patient.list"}).json()["items"][0]["details"]["shown"] == [
        patient
    ]


def test_a_row_of_the_audit_cannot_be_replaced(site):
    site.client(Role.VIEWER)
    row = "(id, at, user_name, address, action, kind, details) VALUES (1, '2020-01-01', 'x', '', 'x', 'x', '{}')"
    with pytest.raises(DatabaseError, match="audit rows never"), site.context.store.writing() as session:
        session.execute(text(f"INSERT OR REPLACE INTO audit {row}"))


def test_the_database_is_closed_to_other_users_of_the_machine(tmp_path):
    data = tmp_path / "open"
    data.mkdir(mode=0o755)
    site = Site(make_settings(data))
    site.user(Role.VIEWER)
    for path in data.glob("bratsseg.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0, path.name
    site.context.close()
