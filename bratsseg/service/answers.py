"""How a refusal is answered: JSON for programs, a page for people, the log-in page for who is not logged in."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bratsseg.service.refusal import Refusal
from bratsseg.service.templates import page


def is_api(request: Request) -> bool:
    """True when a program asks."""
    path: str = request.scope["path"]
    return path.startswith("/api/") or path == "/openapi.json"


def answer(request: Request, refusal: Refusal) -> Response:
    """The response that says no. Its body is ``{code, message}`` for a program."""
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 and is_api(request) else {}
    if "retry_after" in refusal.more:
        headers["Retry-After"] = str(refusal.more["retry_after"])
    if is_api(request):
        return JSONResponse(refusal.as_json(), refusal.status, headers)
    if refusal.status == 401 and refusal.code == "not_logged_in":
        path = request.scope["path"]
        target = f"?next={quote(path)}" if request.method == "GET" and path != "/" else ""
        if request.headers.get("hx-request"):
            return Response(status_code=401, headers={"HX-Redirect": f"/login{target}"})
        return RedirectResponse(f"/login{target}", 303)
    return page(request, "refusal.html.j2", refusal.status, headers, refusal=refusal)
