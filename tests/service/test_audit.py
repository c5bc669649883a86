"""The audit keeps refused attempts, and a change of any row of it is found."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from bratsseg.cli.main import app
from bratsseg.service.accounts.roles import Role
from bratsseg.service.audit import verify_audit
from bratsseg.service.records import Store
from tests.service.conftest import Site, log_in


def refused(site: Site) -> list[dict]:
    admin = site.client(Role.ADMINISTRATOR)
    return admin.get("/api/v1/audit", params={"action": "access.refused"}).json()["items"]


def test_attempts_at_what_is_not_allowed_are_kept_once_a_minute(site):
    viewer = site.client(Role.VIEWER)
    for _ in range(5):
        viewer.get("/api/v1/users")
    viewer.post("/api/v1/patients", json={}, headers={"X-CSRF-Token": "x"})
    guest = site.guest()
    guest.get("/jobs")  # a session that ran out is no attempt
    guest.get("/api/v1/jobs", headers={"Authorization": "Bearer bratsseg_stolen"})
    told = [(act["user"], act["details"]["path"], act["details"]["code"]) for act in refused(site)]
    assert sorted(told) == [
        ("", "/api/v1/jobs", "not_logged_in"),
        ("viewer", "/api/v1/patients", "not_allowed"),
        ("viewer", "/api/v1/users", "not_allowed"),
    ]


def test_a_forged_form_and_a_lock_out_are_kept(site):
    viewer = site.client(Role.VIEWER)
    viewer.headers.pop("X-CSRF-Token")
    assert viewer.post("/account/tokens", data={"label": "x"}).status_code == 403
    guest = site.guest()
    for _ in range(site.settings.accounts.failures + 1):
        log_in(guest, "nobody", "wrong")
    assert {act["details"]["code"] for act in refused(site)} == {"forged", "too_many_attempts"}


@pytest.fixture
def database(site):
    site.client(Role.VIEWER)
    keeper = site.client(Role.DATA_MANAGER)
    keeper.post("/api/v1/patients", json={"number": "1", "name": "A"})
    return site.settings.data / "bratsseg.sqlite"


def verify(site: Site, *words: str):
    return CliRunner().invoke(app, ["serve", "verify-audit", "--data", str(site.settings.data), *words])


def tamper(database, *statements: str) -> None:
    """What somebody with the file and the knowledge of its triggers does."""
    with sqlite3.connect(database) as rows:
        for trigger in ("audit_no_update", "audit_no_delete"):
            rows.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            rows.execute(statement)


def test_an_audit_that_nobody_changed_is_unbroken(site, database):
    answer = verify(site)
    assert (answer.exit_code, "unbroken" in answer.output) == (0, True), answer.output
    head = answer.output.split()[-1]
    site.client(Role.ADMINISTRATOR)  # another row
    assert verify(site, "--head", head).exit_code == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET user_name = 'somebody else' WHERE id = 2",
        "UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE id = 1",
        "UPDATE audit SET details = '{\"number\": 2}' WHERE action = 'patient.create'",
        "UPDATE audit SET details = 'no JSON' WHERE action = 'patient.create'",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit WHERE id = 1",
        "UPDATE audit SET object_id = NULL WHERE action = 'patient.create'",
    ],
)
def test_one_row_that_was_changed_is_found(site, database, statement):
    tamper(database, statement)
    answer = verify(site)
    assert answer.exit_code == 1
    assert "the audit was changed: row" in answer.output


def test_rows_cut_off_the_end_are_found_by_a_head_noted_before(site, database):
    head = verify(site).output.split()[-1]
    tamper(database, "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)")
    assert verify(site).exit_code == 0
    answer = verify(site, "--head", head)
    assert (answer.exit_code, head in answer.output) == (1, True)


def test_an_audit_from_before_the_chain_is_chained_as_it_is(tmp_path):
    from alembic import command
    from alembic.config import Config

    store = Store(f"sqlite:///{tmp_path / 'old.sqlite'}")
    config = Config()
    config.set_main_option("script_location", "bratsseg.service.records:migrations")
    with store.writing() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "0003")
        row = "INSERT INTO audit (at, user_name, address, action, kind, object_id, details) VALUES "
        session.execute(text(row + "('2026-01-01 10:00:00.000000', 'änna', '', 'a.b', 'a', NULL, '{}')"))
        session.execute(text(row + "('2026-01-01 10:00:00.5', 'bert', '::1', 'a.c', 'a', '1', '{\"k\": [\"ü\", 1]}')"))
        session.execute(text("INSERT INTO users VALUES ('u', 'anna', '[]', 'x', 1, '2026-01-01 10:00:00')"))
        token = "INSERT INTO api_tokens (id, user_id, label, token_hash, created_at) VALUES "
        session.execute(text(token + "('t', 'u', 'script', 'h', '2026-01-01 10:00:00')"))
    store.migrate()
    with store.reading() as session:
        state = verify_audit(session)
        assert (state.rows, state.problem) == (2, "")
        assert session.execute(text("SELECT expires_at FROM api_tokens")).scalar_one() > "2026"
    store.close()


def test_a_folder_without_an_audit_is_no_unbroken_one(tmp_path):
    answer = CliRunner().invoke(app, ["serve", "verify-audit", "--data", str(tmp_path)])
    assert answer.exit_code != 0
    assert not list(tmp_path.iterdir())
