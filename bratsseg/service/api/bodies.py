"""Bodies that are bytes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request


async def _raw(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_raw)]
"""The whole body; the gate has bounded it."""


def raw_body(media: str) -> dict[str, object]:
    """What OpenAPI says of a route with such a body."""
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {media: {"schema": schema}}}}
