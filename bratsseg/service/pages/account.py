"""The user's own page: password and API tokens."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from bratsseg.service.accounts.sessions import check_password
from bratsseg.service.accounts.users import set_password
from bratsseg.service.api.users import NewToken, make_token, revoke_mine, tokens
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.records import User
from bratsseg.service.refusal import Refusal
from bratsseg.service.templates import page

router = APIRouter()


@router.get("/account")
def show(request: Request, context: ContextOf, visitor: VisitorOf) -> Response:
    """Password and tokens."""
    return page(request, "account.html.j2", tokens=tokens(context, visitor)["items"], secret="", done="")


@router.post("/account/password")
def change_password(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf) -> Response:
    """A new password; every other session and every token ends."""
    tried = context.limiter.begin_try(visitor.name, visitor.address)
    if check_password(context.store, visitor.name, text(form, "old")) is None:
        raise Refusal(422, "password_wrong", "the old password is wrong")
    context.limiter.was_right(visitor.name, visitor.address, tried)
    with context.store.writing() as session:
        set_password(session, session.get_one(User, visitor.user_id), text(form, "new"), keep_session=visitor.session)
        record_action(session, visitor, "user.password", visitor.user_id)
    done = "the password is changed; every other session and every API token has ended"
    return page(request, "account.html.j2", tokens=tokens(context, visitor)["items"], secret="", done=done)


@router.post("/account/tokens")
def new_token(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf) -> Response:
    """A new token, shown once."""
    label = text(form, "label").strip()
    if not 1 <= len(label) <= 64:
        raise Refusal(422, "invalid", "a token needs a label of 1 to 64 characters")
    made = make_token(context, visitor, NewToken(label=label))
    items = tokens(context, visitor)["items"]
    return page(request, "account.html.j2", tokens=items, secret=made["secret"], done="")


@router.post("/account/tokens/{token}/revoke")
def revoke(context: ContextOf, visitor: VisitorOf, token: str) -> Response:
    """Revoke a token."""
    revoke_mine(context, visitor, token)
    return redirect("/account")
