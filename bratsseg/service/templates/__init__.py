"""Pages: the templates, which escape every value that is put into them."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from bratsseg import wording
from bratsseg.report import phrases
from bratsseg.service.accounts.roles import Role
from bratsseg.service.assets import has_asset
from bratsseg.version import __version__


def page(
    request: Request, name: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A template of this folder as an answer. It knows ``visitor`` (None before log-in) and ``csrf``."""
    visitor = getattr(request.state, "visitor", None)
    text = (
        _environment()
        .get_template(name)
        .render(
            visitor=visitor,
            csrf="" if visitor is None else visitor.csrf,
            partial=request.headers.get("hx-request") == "true",
            **values,
        )
    )
    return HTMLResponse(text, status, headers)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bratsseg.service"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(wording=wording, phrases=phrases, Role=Role, version=__version__, has_asset=has_asset)
    return environment
