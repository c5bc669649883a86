"""Log in, log out."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from starlette.responses import Response

from bratsseg.service.accounts.sessions import begin_session, check_password, end_session
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.cookies import drop_cookie, login_cookie, put_cookie, session_cookie
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.templates import page

router = APIRouter()


@router.get("/login")
def ask(request: Request, context: ContextOf, next: str = "/") -> Response:
    """The log-in page."""
    return _form(request, context, next)


@router.post("/login")
def log_in(request: Request, context: ContextOf, form: FormOf) -> Response:
    """Check name and password; a new session takes the place of whatever was there."""
    name, target = text(form, "name").strip()[:64], text(form, "next")
    visitor = Visitor("", name, frozenset(), request.client.host if request.client else "")
    tried = context.limiter.begin_try(name, visitor.address)
    user = check_password(context.store, name, text(form, "password"))
    if user is None:
        with context.store.writing() as session:
            record_action(session, visitor, "login.refused")
        return _form(request, context, target, "name or password is wrong", 401)
    context.limiter.was_right(name, visitor.address, tried)
    before: Visitor | None = request.state.visitor
    with context.store.writing() as session:
        if before is not None:
            end_session(session, before.session)
        secret = begin_session(session, user)
        record_action(session, Visitor(user.id, user.name, frozenset(), visitor.address), "login.done")
    response = redirect(_inside(target))
    put_cookie(response, request, context.settings, session_cookie(request, context.settings), secret)
    drop_cookie(response, request, context.settings, login_cookie(request, context.settings))
    return response


@router.post("/logout")
def log_out(request: Request, context: ContextOf, visitor: VisitorOf) -> Response:
    """End this session."""
    with context.store.writing() as session:
        end_session(session, visitor.session)
        record_action(session, visitor, "login.ended")
    response = redirect("/login")
    drop_cookie(response, request, context.settings, session_cookie(request, context.settings))
    return response


def _form(request: Request, context: ContextOf, target: str, problem: str = "", status: int = 200) -> Response:
    name = login_cookie(request, context.settings)
    token = request.cookies.get(name) or secrets.token_urlsafe(24)
    response = page(request, "login.html.j2", status, login_token=token, next=_inside(target), problem=problem)
    put_cookie(response, request, context.settings, name, token)
    return response


def _inside(target: str) -> str:
    """Where to go after log-in: a path of this service, never another site."""
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if plain else "/"
