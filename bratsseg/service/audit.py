"""Write into the audit. The acts have short names, such as ``patient.read``."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.records import AuditEntry


def record_action(
    session: Session, visitor: Visitor, action: str, object_id: str | None = None, **details: Any
) -> None:
    """Add one act; its kind is what stands before the dot. No name of a patient may be among ``details``."""
    session.add(
        AuditEntry(
            user_id=visitor.user_id or None,
            user_name=visitor.name,
            address=visitor.address,
            action=action,
            kind=action.partition(".")[0],
            object_id=object_id,
            details=details,
        )
    )
