"""Lists come in pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Query

PageNumber = Annotated[int, Query(ge=1, le=100_000, description="Which page, from 1.")]
PerPage = Annotated[int, Query(ge=1, le=100, description="How many on a page.")]


def listed(items: Iterable[dict[str, Any]], total: int, page: int, per_page: int) -> dict[str, Any]:
    """One page of a list."""
    return {"items": list(items), "total": total, "page": page, "pages": max(1, -(-total // per_page))}
