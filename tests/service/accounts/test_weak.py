"""Passwords that are guessed first are refused, and others are not."""

from __future__ import annotations

import pytest

from bratsseg.service.accounts.weak import weakness


@pytest.mark.parametrize(
    "password",
    [
        "1234567890",
        "0987654321",
        " " * 10,
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "abcdefghij",
        "qwertyuiop",
        "QWERTZUIOP!",
        "password123",
        "P@ssw0rd2026!",
        "Radiology2026",
        "Winter2026!!",
        "administrator1",
        "rosalind1234",
        "welcome-home-2026",
        "1q2w3e4r5t6y",
    ],
)
def test_what_everybody_tries_is_refused(password):
    assert weakness(password, "rosalind") is not None


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "another long one", "Vk7#pq!zR2m", "ruderboot zimt 88"],
)
def test_what_nobody_guesses_is_taken(password):
    assert weakness(password, "rosalind") is None


def test_a_weak_password_is_refused_with_a_way_on(site):
    from bratsseg.service.accounts.roles import Role

    admin = site.client(Role.ADMINISTRATOR)
    answer = admin.post("/api/v1/users", json={"name": "bert", "password": "1234567890", "roles": ["viewer"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "password_weak")
    assert "take a few words" in answer.json()["message"]
