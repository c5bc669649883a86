"""The session's cookie: not for scripts, not for other sites, over https only where there is https."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bratsseg.service.settings import Settings


def is_secure(request: Request, settings: Settings) -> bool:
    """True when the client reaches us over https, by itself or through a proxy."""
    return settings.https or request.scope.get("scheme") == "https"


def session_cookie(request: Request, settings: Settings) -> str:
    """The name of the cookie of a session."""
    return _bound_to_host("bratsseg", request, settings)


def login_cookie(request: Request, settings: Settings) -> str:
    """The name of the cookie that a log-in form is checked against."""
    return _bound_to_host("bratsseg-login", request, settings)


def _bound_to_host(name: str, request: Request, settings: Settings) -> str:
    """Browsers take a cookie called ``__Host-…`` only from https and this very host."""
    return f"__Host-{name}" if is_secure(request, settings) else name


def put_cookie(response: Response, request: Request, settings: Settings, name: str, value: str) -> None:
    """Set a cookie that ends with the browser."""
    response.set_cookie(name, value, httponly=True, samesite="lax", secure=is_secure(request, settings), path="/")


def drop_cookie(response: Response, request: Request, settings: Settings, name: str) -> None:
    """Take a cookie back."""
    secure = is_secure(request, settings)
    response.delete_cookie(name, httponly=True, samesite="lax", secure=secure, path="/")
