"""Pages of the administrator: users and audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import SecretStr
from starlette.datastructures import FormData
from starlette.responses import Response

from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.tokens import tokens_of
from bratsseg.service.api import audit as audit_api
from bratsseg.service.api import users as users_api
from bratsseg.service.api.users import NewUser, UserChange
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.refusal import Refusal
from bratsseg.service.templates import page

router = APIRouter()


@router.get("/users")
def show_users(request: Request, context: ContextOf) -> Response:
    """All users."""
    return _users(request, context)


@router.post("/users")
def add(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf) -> Response:
    """Make a user."""
    try:
        new = NewUser(name=text(form, "name").strip(), password=SecretStr(text(form, "password")), roles=_roles(form))
        users_api.add(context, visitor, new)
    except Refusal as refusal:
        return _users(request, context, refusal)
    return redirect("/users")


@router.post("/users/{user}")
def change(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf, user: str) -> Response:
    """Change roles, switch on or off, set a password."""
    try:
        password = SecretStr(text(form, "password")) if text(form, "password") else None
        fields = UserChange(roles=_roles(form), active="active" in form, password=password)
        users_api.change(context, visitor, user, fields)
    except Refusal as refusal:
        return _users(request, context, refusal)
    return redirect("/users")


@router.post("/users/{user}/tokens/{token}/revoke")
def revoke(context: ContextOf, visitor: VisitorOf, user: str, token: str) -> Response:
    """Revoke a token of a user."""
    users_api.revoke_of_user(context, visitor, user, token)
    return redirect("/users")


@router.get("/audit")
def show_audit(
    request: Request,
    context: ContextOf,
    action: str = "",
    user: str = "",
    at: Annotated[int, Query(ge=1, le=100_000, alias="page")] = 1,
) -> Response:
    """Who did what."""
    listed = audit_api.list_(context, action=action or None, user=user or None, page=at)
    return page(request, "audit.html.j2", listed=listed, action=action, user=user)


def _roles(form: FormData) -> list[Role]:
    try:
        return [Role(str(value)) for value in form.getlist("role")]
    except ValueError:
        raise Refusal(422, "invalid", f"a role must be one of {', '.join(Role)}") from None


def _users(request: Request, context: ContextOf, refusal: Refusal | None = None) -> Response:
    status = 200 if refusal is None else refusal.status
    users = users_api.list_(context)["items"]
    with context.store.reading() as session:
        tokens = {user["id"]: tokens_of(session, user["id"]) for user in users}
    return page(request, "users.html.j2", status, users=users, tokens=tokens, refusal=refusal)
