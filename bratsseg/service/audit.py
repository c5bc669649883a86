"""Write into the audit, and prove that nobody changed it. The acts have short names, such as ``patient.read``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.records import AuditEntry, now

_CHAINED = ("user_id", "user_name", "address", "action", "kind", "object_id", "details")
_AT_ONCE = 1000  # rows in memory


def record_action(
    session: Session, visitor: Visitor, action: str, object_id: str | None = None, **details: Any
) -> None:
    """Add one act; its kind is what stands before the dot. No name of a patient may be among ``details``.

    The session must be one for writing: the row carries a hash over itself and the row before.
    """
    latest = select(AuditEntry.id, AuditEntry.chain).order_by(AuditEntry.id.desc()).limit(1)
    before = session.execute(latest).first()
    entry = AuditEntry(
        id=1 if before is None else before.id + 1,
        at=now(),
        user_id=visitor.user_id or None,
        user_name=visitor.name,
        address=visitor.address,
        action=action,
        kind=action.partition(".")[0],
        object_id=object_id,
        details=details,
    )
    entry.chain = chained("" if before is None else before.chain, entry)
    session.add(entry)
    session.flush()


def chained(before: str, entry: AuditEntry) -> str:
    """SHA-256 over the hash of the row before and everything that a row says."""
    told = {"id": entry.id, "at": entry.at.isoformat(), **{name: getattr(entry, name) for name in _CHAINED}}
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


@dataclass(frozen=True)
class AuditState:
    """What a check of the audit found: its rows, the hash of the last, and where the chain breaks, if it does."""

    rows: int
    head: str
    problem: str = ""


def verify_audit(session: Session, head: str = "") -> AuditState:
    """Compute the chain anew. ``head`` is one that was noted down before: it must be that of some row still.

    Rows that were cut off the end leave a whole chain; only a head that was kept elsewhere tells of them.
    """
    last, rows, seen = "", 0, not head
    every = select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=_AT_ONCE)
    try:
        for entry in session.scalars(every):
            if entry.id != rows + 1:
                return AuditState(rows, last, f"row {rows + 1} is missing: row {entry.id} comes after row {rows}")
            if chained(last, entry) != entry.chain:
                return AuditState(rows, last, f"row {entry.id}, or the one before it, is not what was written")
            last, rows = entry.chain, entry.id
            seen = seen or last == head
            session.expunge(entry)
    except (ValueError, TypeError):
        return AuditState(rows, last, f"row {rows + 1} or one of the next {_AT_ONCE} holds what was never written so")
    problem = "" if seen else f"no row has the head {head}: rows after it or before it are gone"
    return AuditState(rows, last, problem)
