"""Bodies that are bytes, or a form around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from bratsseg.service.refusal import Refusal


async def _raw(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_raw)]
"""The whole body; the gate has bounded it."""


def raw_body(media: str) -> dict[str, object]:
    """What OpenAPI says of a route with such a body."""
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {media: {"schema": schema}}}}


_TEXTS = ("comment", "revision", "window", "replaces")


@dataclass(frozen=True)
class Drawing:
    """A label map that was drawn, what its reader says of it, and the revision of the result that was seen.

    ``window`` and ``replaces`` are those of ``drafts.DraftWindow``.
    """

    content: bytes
    comment: str
    seen: str | None
    window: str = ""
    replaces: str = ""


async def _drawing(request: Request) -> Drawing:
    """From a form with ``drawing``, ``comment`` and ``revision``, or from the plain file with the header If-Match."""
    seen = seen_revision(request)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return Drawing(await request.body(), "", seen)
    form = await request.form(max_files=1, max_fields=8)
    sent = form.get("drawing")
    if not isinstance(sent, UploadFile):
        raise Refusal(422, "invalid", "drawing: must be a file of the form")
    told = {name: value for name in _TEXTS if isinstance(value := form.get(name), str)}
    seen = told.get("revision") or seen
    window, replaces = (told.get(name, "")[:36] for name in ("window", "replaces"))
    return Drawing(await sent.read(), told.get("comment", ""), seen, window, replaces)


def seen_revision(request: Request) -> str | None:
    """The revision of the header If-Match, as ETag tells it; None without one."""
    return request.headers.get("if-match", "").removeprefix("W/").strip('" ') or None


DrawingBody = Annotated[Drawing, Depends(_drawing)]
"""A drawing with what belongs to it; the gate has bounded the body."""
SeenRevision = Annotated[str | None, Depends(seen_revision)]
"""The revision that a program says it has seen."""
_DRAWING_FORM = {
    "type": "object",
    "required": ["drawing"],
    "properties": {
        "drawing": {"type": "string", "format": "binary"},
        "comment": {"type": "string"},
        "revision": {"type": "string", "description": "Of the result as it was seen; If-Match says the same."},
    },
}


def drawing_body() -> dict[str, object]:
    """What OpenAPI says of a route that takes a drawing."""
    plain = {"schema": {"type": "string", "format": "binary"}}
    content = {"multipart/form-data": {"schema": _DRAWING_FORM}, "application/gzip": plain}
    header = {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "The revision that was seen, where the form does not say it.",
    }
    return {"requestBody": {"required": True, "content": content}, "parameters": [header]}
