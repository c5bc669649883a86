"""Sessions: secrets that a browser holds, of which only hashes are kept here."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bratsseg.service.accounts.passwords import matches
from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.records import LoginSession, Store, User, now
from bratsseg.service.settings import AccountRules

_SEEN_EVERY = timedelta(minutes=1)


def digest(secret: str) -> str:
    """SHA-256: enough for secrets of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_password(store: Store, name: str, password: str) -> User | None:
    """The active user of that name and password, otherwise None; in the same time whichever is wrong."""
    with store.reading() as session:
        user = session.scalar(select(User).where(User.name == name))
    right = matches(password, None if user is None or not user.active else user.password_hash)
    return user if right else None


def begin_session(session: Session, user: User) -> str:
    """A new session; returns the secret for the cookie. It is always a new one, so none can be planted before."""
    secret = secrets.token_urlsafe(32)
    session.add(LoginSession(token_hash=digest(secret), user_id=user.id, csrf=secrets.token_urlsafe(24)))
    return secret


def end_session(session: Session, token_hash: str) -> None:
    """End one session, if it has not ended yet."""
    mine = update(LoginSession).where(LoginSession.token_hash == token_hash, LoginSession.ended_at.is_(None))
    session.execute(mine.values(ended_at=now()))


def end_sessions(session: Session, user_id: str, *, but: str = "") -> None:
    """End every session of a user, but for the one whose token has the hash ``but``."""
    open_ones = update(LoginSession).where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
    session.execute(open_ones.where(LoginSession.token_hash != but).values(ended_at=now()))


def visitor_of_cookie(store: Store, secret: str, rules: AccountRules, address: str) -> Visitor | None:
    """Who holds this session, or None when it is unknown, ended, too old, or its user is switched off."""
    key, at = digest(secret), now()
    with store.reading() as session:
        found = session.get(LoginSession, key)
    if found is None or found.ended_at is not None or not found.user.active:
        return None
    if at - found.created_at > timedelta(hours=rules.session_hours):
        return None
    if at - found.seen_at > timedelta(minutes=rules.idle_minutes):
        return None
    if at - found.seen_at > _SEEN_EVERY:
        with store.writing() as session:
            session.execute(update(LoginSession).where(LoginSession.token_hash == key).values(seen_at=at))
    return visitor_of(found.user, address, csrf=found.csrf, session=key)


def visitor_of(user: User, address: str, csrf: str = "", session: str = "") -> Visitor:
    """A user who sends a request; without ``session`` by an API token."""
    return Visitor(user.id, user.name, frozenset(map(Role, user.roles)), address, csrf, session)
