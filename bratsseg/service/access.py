"""Who may do what: one table over every route. What is not in it is refused to everybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from starlette.routing import compile_path

from bratsseg.service.accounts.roles import EVERYONE, Role


class Body(StrEnum):
    """How large a request's body may be: a form, a piece of an upload, a photo, a drawing, or scans in one form.

    Each is the name of its bound in ``settings.Limits``.
    """

    FORM = "form"
    PIECE = "piece"
    PHOTO = "photo"
    DRAWING = "drawing"
    STUDY = "study"


@dataclass(frozen=True)
class Rule:
    """One route and who may use it. ``public`` needs no log-in; ``always`` answers before there is any user.

    ``in_person`` is for those who logged in: an API token that was stolen must not be able to make itself at home.
    """

    methods: frozenset[str]
    path: str
    roles: frozenset[Role]
    body: Body
    public: bool
    always: bool
    in_person: bool
    pattern: re.Pattern[str]


_PUBLIC: frozenset[Role] = frozenset()
CARE = frozenset({Role.VIEWER, Role.RADIOLOGIST, Role.DATA_MANAGER})  # read of patients and of what was done
_SEE = frozenset({Role.VIEWER, Role.RADIOLOGIST})  # see images
_WORK = frozenset({Role.RADIOLOGIST})  # upload, run, review
_KEEP = frozenset({Role.RADIOLOGIST, Role.DATA_MANAGER})  # write patients
_ADMIN = frozenset({Role.ADMINISTRATOR})


def _rule(
    methods: str,
    path: str,
    roles: frozenset[Role],
    body: Body = Body.FORM,
    *,
    always: bool = False,
    in_person: bool = False,
) -> Rule:
    return Rule(
        methods=frozenset(methods.split()),
        path=path,
        roles=roles,
        body=body,
        public=roles is _PUBLIC,
        always=always,
        in_person=in_person,
        pattern=compile_path(path)[0],
    )


RULES: tuple[Rule, ...] = (
    _rule("GET", "/healthz", _PUBLIC, always=True),
    _rule("GET", "/readyz", _PUBLIC, always=True),
    _rule("GET", "/version", _PUBLIC, always=True),
    _rule("GET", "/static/{path:path}", _PUBLIC, always=True),
    _rule("GET POST", "/login", _PUBLIC),
    # Pages
    _rule("GET", "/", EVERYONE),
    _rule("POST", "/logout", EVERYONE),
    _rule("GET", "/docs", EVERYONE),
    _rule("GET", "/openapi.json", EVERYONE),
    _rule("GET", "/explainer", EVERYONE),
    _rule("GET", "/models", EVERYONE),
    _rule("GET", "/models/{name}", EVERYONE),
    _rule("GET", "/account", EVERYONE),
    _rule("POST", "/account/password", EVERYONE, in_person=True),
    _rule("POST", "/account/tokens", EVERYONE, in_person=True),
    _rule("POST", "/account/tokens/{token}/revoke", EVERYONE),
    _rule("GET", "/patients", CARE),
    _rule("GET POST", "/patients/new", _KEEP),
    _rule("GET", "/patients/{patient}", CARE),
    _rule("GET POST", "/patients/{patient}/edit", _KEEP),
    _rule("POST", "/patients/{patient}/archive", _KEEP),
    _rule("POST", "/patients/{patient}/restore", _KEEP),
    _rule("GET", "/patients/{patient}/photo", CARE),
    _rule("POST", "/patients/{patient}/photo", _KEEP, Body.PHOTO),
    _rule("GET", "/upload", _WORK),
    _rule("POST", "/upload", _WORK, Body.STUDY),
    _rule("GET", "/uploads/{upload}", _WORK),
    _rule("POST", "/uploads/{upload}/accept", _WORK),
    _rule("POST", "/uploads/{upload}/cancel", _WORK),
    _rule("GET", "/studies/{study}", _SEE),
    _rule("GET POST", "/studies/{study}/move", _KEEP),
    _rule("POST", "/studies/{study}/jobs", _WORK),
    _rule("GET", "/jobs", _SEE),
    _rule("GET", "/jobs/{job}", _SEE),
    _rule("POST", "/jobs/{job}/cancel", _WORK),
    _rule("GET", "/results/{result}", _SEE),
    _rule("POST", "/results/{result}/review", _WORK),
    _rule("GET POST", "/users", _ADMIN),
    _rule("POST", "/users/{user}", _ADMIN),
    _rule("POST", "/users/{user}/tokens/{token}/revoke", _ADMIN),
    _rule("GET", "/audit", _ADMIN),
    # REST
    _rule("GET", "/api/v1/patients", CARE),
    _rule("POST", "/api/v1/patients", _KEEP),
    _rule("GET", "/api/v1/patients/{patient}", CARE),
    _rule("PATCH", "/api/v1/patients/{patient}", _KEEP),
    _rule("POST", "/api/v1/patients/{patient}/archive", _KEEP),
    _rule("POST", "/api/v1/patients/{patient}/restore", _KEEP),
    _rule("GET", "/api/v1/patients/{patient}/timeline", CARE),
    _rule("GET", "/api/v1/patients/{patient}/photo", CARE),
    _rule("PUT", "/api/v1/patients/{patient}/photo", _KEEP, Body.PHOTO),
    _rule("GET", "/api/v1/studies", CARE),
    _rule("GET", "/api/v1/studies/{study}", CARE),
    _rule("PATCH", "/api/v1/studies/{study}", _KEEP),
    _rule("GET POST", "/api/v1/uploads", _WORK),
    _rule("GET DELETE", "/api/v1/uploads/{upload}", _WORK),
    _rule("PATCH", "/api/v1/uploads/{upload}/files/{file}", _WORK, Body.PIECE),
    _rule("POST", "/api/v1/uploads/{upload}/complete", _WORK),
    _rule("POST", "/api/v1/uploads/{upload}/accept", _WORK),
    _rule("GET", "/api/v1/jobs", _SEE),
    _rule("POST", "/api/v1/jobs", _WORK),
    _rule("GET", "/api/v1/jobs/{job}", _SEE),
    _rule("GET", "/api/v1/jobs/{job}/events", _SEE),
    _rule("POST", "/api/v1/jobs/{job}/cancel", _WORK),
    _rule("GET", "/api/v1/results", _SEE),
    _rule("GET", "/api/v1/results/{result}", _SEE),
    _rule("GET", "/api/v1/results/{result}/files/{name}", _SEE),
    _rule("POST", "/api/v1/results/{result}/reviews", _WORK),
    _rule("PUT", "/api/v1/results/{result}/correction", _WORK, Body.DRAWING),
    _rule("GET DELETE", "/api/v1/results/{result}/draft", _WORK),
    _rule("PUT", "/api/v1/results/{result}/draft", _WORK, Body.DRAWING),
    _rule("GET", "/api/v1/models", EVERYONE),
    _rule("GET", "/api/v1/models/{name}", EVERYONE),
    _rule("GET", "/api/v1/audit", _ADMIN),
    _rule("GET", "/api/v1/users/me", EVERYONE),
    _rule("GET", "/api/v1/users/me/tokens", EVERYONE),
    _rule("POST", "/api/v1/users/me/tokens", EVERYONE, in_person=True),
    _rule("DELETE", "/api/v1/users/me/tokens/{token}", EVERYONE),
    _rule("GET POST", "/api/v1/users", _ADMIN),
    _rule("PATCH", "/api/v1/users/{user}", _ADMIN),
    _rule("GET", "/api/v1/users/{user}/tokens", _ADMIN),
    _rule("DELETE", "/api/v1/users/{user}/tokens/{token}", _ADMIN),
)


def find_rule(method: str, path: str) -> Rule | None:
    """The first rule that speaks of this request, or None: then nobody may."""
    method = "GET" if method == "HEAD" else method
    return next((rule for rule in RULES if method in rule.methods and rule.pattern.match(path)), None)
