"""API tokens: for programs that act for a user. They end by themselves, and with the user's password."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bratsseg.service.accounts.sessions import digest, visitor_of
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.records import ApiToken, Store, now
from bratsseg.service.refusal import not_found

TOKEN_PREFIX = "bratsseg_"
DAYS = 90
"""How long a token lasts when nobody says so."""
MOST_DAYS = 366


def new_token(session: Session, user_id: str, label: str, days: int = DAYS) -> tuple[ApiToken, str]:
    """A new API token; the secret is shown once and never again."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    ends = now() + timedelta(days=min(days, MOST_DAYS))
    token = ApiToken(user_id=user_id, label=label, token_hash=digest(secret), expires_at=ends)
    session.add(token)
    return token, secret


def visitor_of_token(store: Store, secret: str, address: str) -> Visitor | None:
    """Who holds this API token, or None: unknown, revoked, expired, or its user switched off."""
    with store.reading() as session:
        found = session.scalar(select(ApiToken).where(ApiToken.token_hash == digest(secret)))
    if found is None or found.revoked_at is not None or found.expires_at <= now() or not found.user.active:
        return None
    return visitor_of(found.user, address)


def tokens_of(session: Session, user_id: str) -> list[dict[str, Any]]:
    """The tokens of a user as plain values, the latest first."""
    wanted = select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.created_at.desc())
    return [token_facts(token) for token in session.scalars(wanted)]


def token_facts(token: ApiToken) -> dict[str, Any]:
    """A token without its secret."""
    return {
        "id": token.id,
        "label": token.label,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "expired": token.expires_at <= now(),
        "revoked": token.revoked_at is not None,
    }


def revoke_token(session: Session, visitor: Visitor, user_id: str, token_id: str) -> None:
    """Revoke one token of a user; a ``Refusal`` (404)."""
    found = session.get(ApiToken, token_id)
    if found is None or found.user_id != user_id:
        raise not_found("token")
    found.revoked_at = found.revoked_at or now()
    record_action(session, visitor, "token.revoke", token_id, user=user_id)


def revoke_tokens(session: Session, user_id: str) -> None:
    """Revoke every token of a user: the password changed, or the user was switched off. None of them comes back."""
    alive = update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
    session.execute(alive.values(revoked_at=now()))
