"""Passwords: argon2id, with the library's own recommended cost (RFC 9106, low memory)."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from bratsseg.service.accounts.weak import weakness
from bratsseg.service.refusal import Refusal

SHORTEST, LONGEST = 10, 256
_HASHER = PasswordHasher()
# Each hash takes 64 MiB: without a bound, many log-ins at once would take the machine's memory.
_AT_ONCE = threading.Semaphore(2)
_NOBODY = _HASHER.hash("a password that nobody has")


def hash_password(password: str, name: str = "") -> str:
    """The hash to keep; a ``Refusal`` when the password is too short, too long, or among the first to be guessed."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refusal(422, "password_unfit", f"a password must have {SHORTEST} to {LONGEST} characters")
    if (why := weakness(password, name)) is not None:
        text = f"this password is easily guessed: it {why}; take a few words that have nothing to do with each other"
        raise Refusal(422, "password_weak", text)
    with _AT_ONCE:
        return _HASHER.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """True when the password is the one; it takes as long when there is no such user (``kept`` is None)."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(kept or _NOBODY, password[:LONGEST]) and kept is not None
        except (VerifyMismatchError, InvalidHashError):
            return False
