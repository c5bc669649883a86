"""The gate: the one place that decides whether a request comes in. It stands before routing and before any body.

Nobody comes in by default. A request needs a rule in ``access.RULES``, a visitor with one of the rule's roles, a token
against forged requests when a browser sends it, and a body within its bounds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bratsseg.service.access import Body, Rule, find_rule
from bratsseg.service.accounts.sessions import visitor_of_cookie
from bratsseg.service.accounts.tokens import visitor_of_token
from bratsseg.service.accounts.users import any_user
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.answers import answer, is_api
from bratsseg.service.context import Context
from bratsseg.service.cookies import session_cookie
from bratsseg.service.refusal import Refusal, not_found

log = logging.getLogger(__name__)
_SAFE = {"GET", "HEAD", "OPTIONS"}
CSRF_HEADER = "x-csrf-token"


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app, self._context = app, context
        self._inhabited = False
        self._hosts = context.settings.accepted_hosts
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope)
        address = request.client.host if request.client else ""
        self._running[address] += 1
        try:
            await self._answer(request, scope, receive, send)
        finally:
            self._running[address] -= 1
            if not self._running[address]:
                del self._running[address]

    async def _answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            self._refuse_strange(request)
            rule, visitor = await run_in_threadpool(self._admit, request)
            bounded = _BoundedBody(receive, send, self._most(rule), self._context.settings.limits.piece_seconds, rule)
            bounded.check_length(request)
        except Exception as error:  # whatever the error is, it lets nobody in
            refusal = error if isinstance(error, Refusal) else _broken(request, error)
            await run_in_threadpool(self._note, request, refusal)
            _tell(request, refusal.status, started)
            await answer(request, refusal)(scope, receive, send)
            return
        scope.setdefault("state", {})["visitor"] = visitor
        try:
            # A server sends no body to HEAD by itself; routes know GET.
            asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
            await self._app(asked, bounded.receive, bounded.send)
        except Exception as error:
            if bounded.answered:
                raise
            bounded.refusal = bounded.refusal or _broken(request, error)
        if bounded.refusal is not None and not bounded.answered:
            await answer(request, bounded.refusal)(scope, receive, send)
        _tell(request, 0 if bounded.refusal is None else bounded.refusal.status, started)

    def _refuse_strange(self, request: Request) -> None:
        """Refuse what no browser sends: a host that is not ours, two lengths for one body, too much at once."""
        host = _host_of(request.headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            text = "this service is not called so; its administrator names its hosts with --hostname"
            raise Refusal(421, "host_unknown", text)
        if "transfer-encoding" in request.headers and "content-length" in request.headers:
            raise Refusal(400, "bad_request", "a request must say the length of its body in one way, this says two")
        address = request.client.host if request.client else ""
        if self._running[address] > self._context.settings.limits.connections_of_one:
            text = "too many requests at once; wait until some are answered"
            raise Refusal(429, "too_many_requests", text, retry_after=1)

    def _admit(self, request: Request) -> tuple[Rule, Visitor | None]:
        """The rule and the visitor of a request that may come in; otherwise a ``Refusal``."""
        rule = find_rule(
            request.method, request.scope["path"]
        )  # as it is routed: request.url has the Host header in it
        if rule is not None and rule.always:
            return rule, None
        self._require_users()
        address = request.client.host if request.client else ""
        visitor = self._visitor(request, address)
        request.scope.setdefault("state", {})["visitor"] = visitor
        self._context.limiter.pass_request(address if visitor is None else visitor.user_id)
        if rule is not None and rule.public:
            self._refuse_other_sites(request)
            return rule, visitor
        if visitor is None:
            raise Refusal(401, "not_logged_in", "log in first")
        if rule is None:
            raise not_found("page")
        if not visitor.roles & rule.roles:
            wanted = " or ".join(sorted(rule.roles))
            raise Refusal(403, "not_allowed", f"this needs the role {wanted}")
        if rule.in_person and not visitor.session:
            raise Refusal(403, "not_by_token", "this needs somebody who logged in, an API token cannot do it")
        if visitor.session:
            self._refuse_forged(request, visitor)
        return rule, visitor

    def _note(self, request: Request, refusal: Refusal) -> None:
        """Keep attempts at what is not allowed; that somebody's session ran out is none."""
        by_token = "authorization" in request.headers
        if refusal.status == 403 or (refusal.status == 401 and by_token):
            rule = find_rule(request.method, request.scope["path"])
            path = request.scope["path"] if rule is None else rule.path
            visitor = request.scope.get("state", {}).get("visitor")
            self._context.attempts.note(request, visitor, refusal, path)

    def _require_users(self) -> None:
        if not self._inhabited:
            self._inhabited = any_user(self._context.store)
        if not self._inhabited:
            text = (
                "there is no user yet, so nobody may come in; on the machine that runs this service, type: "
                f"bratsseg serve add-user NAME --role administrator --data {self._context.settings.data}"
            )
            raise Refusal(503, "no_user", text)

    def _visitor(self, request: Request, address: str) -> Visitor | None:
        store = self._context.store
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return visitor_of_token(store, secret.strip(), address)
        cookie = request.cookies.get(session_cookie(request, self._context.settings))
        return visitor_of_cookie(store, cookie, self._context.settings.accounts, address) if cookie else None

    def _refuse_forged(self, request: Request, visitor: Visitor) -> None:
        """A browser sends the cookie by itself; that the user meant it is proved by the token.

        A program's token comes in a header and is checked here; a form's is a field of it, checked before its route.
        """
        self._refuse_other_sites(request)
        if request.method in _SAFE:
            return
        given = request.headers.get(CSRF_HEADER, "")
        if (given or is_api(request)) and given != visitor.csrf:
            raise forged()

    @staticmethod
    def _refuse_other_sites(request: Request) -> None:
        if request.method in _SAFE:
            return
        origin = request.headers.get("origin")
        strange = origin is not None and _site_of(origin) != request.headers.get("host", "")
        if strange or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise forged()

    def _most(self, rule: Rule) -> int:
        limits = self._context.settings.limits
        most: int = getattr(limits, rule.body)
        return most


def forged() -> Refusal:
    """A request that another site made the browser send."""
    return Refusal(403, "forged", "this request does not come from a page of this service; load the page again")


def _host_of(header: str) -> str:
    """The name in a Host header, in small letters, without its port; IPv6 without brackets."""
    name = header[1 : header.find("]")] if header.startswith("[") else header.rpartition(":")[0] or header
    return name.lower().removesuffix(".")


def _site_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as http://[
        return None


def _broken(request: Request, error: Exception) -> Refusal:
    log.error("%s %r failed: %s", request.method, request.scope["path"], type(error).__name__, exc_info=error)
    return Refusal(500, "failed", "this failed in the software; what happened was written to the log")


class _BoundedBody:
    """A request's body, no larger and no slower than it may be; otherwise the refusal takes the answer's place."""

    def __init__(self, receive: Receive, send: Send, most: int, seconds: float, rule: Rule) -> None:
        self._receive, self._send, self._most, self._seconds = receive, send, most, seconds
        self._deadline = None if rule.body is Body.STUDY else time.monotonic() + seconds
        self._got, self._ended = 0, False
        self.refusal: Refusal | None = None
        self.answered = False

    def check_length(self, request: Request) -> None:
        """Refuse by the length that the client announces."""
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next part of the body."""
        if self._ended:
            return await self._receive()
        left = self._seconds if self._deadline is None else self._deadline - time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, left))
        except TimeoutError:
            text = "the request came too slowly and was given up; send it again, in smaller pieces"
            return self._give_up(Refusal(408, "too_slow", text))
        if message["type"] == "http.request":
            self._got += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
            if self._got > self._most:
                return self._give_up(self._too_large())
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, unless the request was refused meanwhile."""
        if self.refusal is None or self.answered:
            self.answered = True
            await self._send(message)

    def _give_up(self, refusal: Refusal) -> Message:
        self.refusal, self._ended = self.refusal or refusal, True
        return {"type": "http.disconnect"}

    def _too_large(self) -> Refusal:
        most = f"{self._most / (1 << 20):g} MiB"
        return Refusal(413, "too_large", f"a request here may have at most {most}; send large files in pieces")


def _tell(request: Request, status: int, started: float) -> None:
    """A line for the log. Without the query: it may hold what somebody searched for."""
    if log.isEnabledFor(logging.DEBUG):
        took = 1000 * (time.perf_counter() - started)
        details: Any = (request.method, request.scope["path"], status or "passed", took)
        log.debug("%s %r %s %.0f ms", *details)
