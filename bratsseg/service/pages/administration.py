"""Pages of the administrator: users and audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.users import add_user, change_user, set_password
from bratsseg.service.api import audit as audit_api
from bratsseg.service.api import users as users_api
from bratsseg.service.audit import note
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.pages.forms import FormOf, see, text
from bratsseg.service.records import User
from bratsseg.service.refusal import Refusal, not_found
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
        with context.store.writing() as session:
            user = add_user(session, text(form, "name").strip(), text(form, "password"), _roles(form))
            note(session, visitor, "user.create", user.id, roles=user.roles)
    except Refusal as refusal:
        return _users(request, context, refusal)
    return see("/users")


@router.post("/users/{user}")
def change(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf, user: str) -> Response:
    """Change roles, switch on or off, set a password."""
    try:
        with context.store.writing() as session:
            found = session.get(User, user)
            if found is None:
                raise not_found("user")
            change_user(session, found, _roles(form) or None, "active" in form)
            if password := text(form, "password"):
                set_password(session, found, password)
            note(session, visitor, "user.change", user, roles=found.roles, active=found.active)
    except Refusal as refusal:
        return _users(request, context, refusal)
    return see("/users")


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
    return page(request, "users.html.j2", status, users=users_api.list_(context)["items"], refusal=refusal)
