"""Forms of pages: each must carry the token of its session."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from bratsseg.service.cookies import login_cookie
from bratsseg.service.gate import CSRF_HEADER, forged

FIELD = "csrf_token"


async def checked_form(request: Request) -> FormData:
    """The form of a request; empty for requests that have none. A ``Refusal`` (403) when its token is wrong.

    The gate has checked a token in a header already. To log in, the token is that of a cookie, which another site can
    neither read nor set. The same holds when a logged-in user logs in as another user.
    """
    if request.method != "POST":
        return FormData()
    form = await request.form(max_files=256, max_fields=256)
    visitor = request.state.visitor
    to_log_in = visitor is None or request.scope["path"] == "/login"
    settings = request.app.state.context.settings
    wanted = request.cookies.get(login_cookie(request, settings), "") if to_log_in else visitor.csrf
    given = (None if to_log_in else request.headers.get(CSRF_HEADER)) or form.get(FIELD)
    if not wanted or not isinstance(given, str) or not secrets.compare_digest(given.encode(), wanted.encode()):
        raise forged()
    return form


FormOf = Annotated[FormData, Depends(checked_form)]
"""The form of a POST, checked."""


def text(form: FormData, name: str) -> str:
    """A field of a form as text; empty when there is none."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def redirect(path: str) -> RedirectResponse:
    """Send the browser to ``path`` with GET, after a POST has done its work."""
    return RedirectResponse(path, 303)
