"""``/api/v1/audit``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, select

from bratsseg.service.api.paging import PageNumber, PerPage, listed
from bratsseg.service.context import ContextOf
from bratsseg.service.records import AuditEntry

router = APIRouter(prefix="/audit", tags=["audit"])


def entry_facts(entry: AuditEntry) -> dict[str, Any]:
    """One act as plain values."""
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "user": entry.user_name,
        "address": entry.address,
        "action": entry.action,
        "object_id": entry.object_id,
        "details": entry.details,
    }


@router.get("")
def list_(
    context: ContextOf,
    *,
    action: str | None = None,
    object_id: str | None = None,
    user: str | None = None,
    page: PageNumber = 1,
    per_page: PerPage = 50,
) -> dict[str, Any]:
    """Who did what, the latest first."""
    wanted = select(AuditEntry)
    for column, value in (
        (AuditEntry.action, action),
        (AuditEntry.object_id, object_id),
        (AuditEntry.user_name, user),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    with context.store.reading() as session:
        total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        ordered = wanted.order_by(AuditEntry.id.desc()).limit(per_page).offset((page - 1) * per_page)
        found = [entry_facts(entry) for entry in session.scalars(ordered)]
    return listed(found, total, page, per_page)
