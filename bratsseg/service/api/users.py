"""``/api/v1/users``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import select

from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.tokens import (
    DAYS,
    MOST_DAYS,
    new_token,
    revoke_token,
    token_facts,
    tokens_of,
)
from bratsseg.service.accounts.users import add_user, change_user, set_password
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.records import User
from bratsseg.service.refusal import not_found

router = APIRouter(prefix="/users", tags=["users"])


class NewUser(BaseModel):
    """A user to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str
    password: SecretStr
    roles: list[Role]


class UserChange(BaseModel):
    """What is to change of a user; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    roles: list[Role] | None = None
    active: bool | None = None
    password: SecretStr | None = None


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=64)
    days: int = Field(default=DAYS, ge=1, le=MOST_DAYS, description="It ends by itself after so many.")


def user_facts(user: User) -> dict[str, Any]:
    """A user as plain values."""
    return {"id": user.id, "name": user.name, "roles": user.roles, "active": user.active}


@router.get("/me")
def me(visitor: VisitorOf) -> dict[str, Any]:
    """Who you are. ``csrf`` is what a page of this session sends back in X-CSRF-Token; empty for an API token."""
    return {
        "id": visitor.user_id,
        "name": visitor.name,
        "roles": sorted(visitor.roles),
        "csrf": visitor.csrf,
    }


@router.get("/me/tokens")
def tokens(context: ContextOf, visitor: VisitorOf) -> dict[str, Any]:
    """Your API tokens."""
    with context.store.reading() as session:
        return {"items": tokens_of(session, visitor.user_id)}


@router.post("/me/tokens", status_code=201)
def make_token(context: ContextOf, visitor: VisitorOf, new: NewToken) -> dict[str, Any]:
    """A new API token; its ``secret`` is shown this once. Send it as ``Authorization: Bearer …``.

    It cannot be made by a token: log in for it.
    """
    with context.store.writing() as session:
        token, secret = new_token(session, visitor.user_id, new.label, new.days)
        session.flush()
        record_action(session, visitor, "token.create", token.id, days=new.days)
        return {**token_facts(token), "secret": secret}


@router.delete("/me/tokens/{token}", status_code=204)
def revoke_mine(context: ContextOf, visitor: VisitorOf, token: str) -> None:
    """Revoke one of your tokens."""
    with context.store.writing() as session:
        revoke_token(session, visitor, visitor.user_id, token)


@router.get("/{user}/tokens")
def tokens_of_user(context: ContextOf, user: str) -> dict[str, Any]:
    """The API tokens of a user."""
    with context.store.reading() as session:
        if session.get(User, user) is None:
            raise not_found("user")
        return {"items": tokens_of(session, user)}


@router.delete("/{user}/tokens/{token}", status_code=204)
def revoke_of_user(context: ContextOf, visitor: VisitorOf, user: str, token: str) -> None:
    """Revoke a token of a user."""
    with context.store.writing() as session:
        revoke_token(session, visitor, user, token)


@router.get("")
def list_(context: ContextOf) -> dict[str, Any]:
    """All users."""
    with context.store.reading() as session:
        return {"items": [user_facts(user) for user in session.scalars(select(User).order_by(User.name))]}


@router.post("", status_code=201)
def add(context: ContextOf, visitor: VisitorOf, new: NewUser) -> dict[str, Any]:
    """Make a user."""
    with context.store.writing() as session:
        user = add_user(session, new.name, new.password.get_secret_value(), new.roles)
        record_action(session, visitor, "user.create", user.id, roles=user.roles)
        return user_facts(user)


@router.patch("/{user}")
def change(context: ContextOf, visitor: VisitorOf, user: str, fields: UserChange) -> dict[str, Any]:
    """Change roles or password, or switch a user off. Nobody is deleted: the audit speaks of them."""
    with context.store.writing() as session:
        found = session.get(User, user)
        if found is None:
            raise not_found("user")
        change_user(session, found, fields.roles, fields.active)
        if fields.password is not None:
            set_password(session, found, fields.password.get_secret_value())
        told = {"roles": found.roles, "active": found.active, "password": fields.password is not None}
        record_action(session, visitor, "user.change", user, **told)
        return user_facts(found)
