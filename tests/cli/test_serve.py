"""``bratsseg serve``: users from the command line, and what it says when something is missing."""

from __future__ import annotations

import io
import sys

import pytest

from bratsseg.service.accounts.sessions import check_password
from bratsseg.service.records import Store
from bratsseg.service.settings import Settings
from tests.flows.conftest import CommandEnd, bratsseg

PASSWORD = "correct horse battery"


def add_user(monkeypatch, *words: object, password: str = PASSWORD) -> CommandEnd:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    return bratsseg("serve", "add-user", *words, "--password-stdin")


def test_a_user_is_made_in_an_empty_folder(tmp_path, monkeypatch):
    made = add_user(monkeypatch, "anna", "--role", "radiologist", "--role", "data-manager", "--data", tmp_path / "new")
    assert made.code == 0, made.err
    assert "anna: data-manager, radiologist" in made.out
    store = Store(Settings(data=tmp_path / "new").database)
    user = check_password(store, "anna", PASSWORD)
    assert user is not None
    assert user.roles == ["data-manager", "radiologist"]
    assert PASSWORD not in user.password_hash
    store.close()


@pytest.mark.parametrize(
    ("words", "password", "says"),
    [
        (("anna", "--role", "king"), PASSWORD, "--role: must be some of viewer"),
        (("an na", "--role", "viewer"), PASSWORD, "letters, digits"),
        (("anna", "--role", "viewer"), "short", "10 to 256 characters"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, words, password, says):
    ended = add_user(monkeypatch, *words, "--data", tmp_path, password=password)
    assert ended.code == 2
    assert says in ended.err


def test_the_folder_may_stand_before_the_verb_and_a_file_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    ended = bratsseg("serve", "--data", tmp_path / "d", "add-user", "anna", "--role", "viewer", "--password-stdin")
    assert ended.code == 0, ended.err
    assert (tmp_path / "d" / "bratsseg.sqlite").is_file()
    (tmp_path / "file").write_text("x")
    assert "must be a folder" in bratsseg("serve", "--data", tmp_path / "file").err
