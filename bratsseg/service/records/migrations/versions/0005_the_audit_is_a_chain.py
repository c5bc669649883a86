"""Every row of the audit carries a hash over itself and the row before it."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AUDIT = sa.table(
    "audit",
    sa.column("id", sa.Integer()),
    sa.column("at", sa.DateTime()),
    sa.column("user_id", sa.String()),
    sa.column("user_name", sa.String()),
    sa.column("address", sa.String()),
    sa.column("action", sa.String()),
    sa.column("kind", sa.String()),
    sa.column("object_id", sa.String()),
    sa.column("details", sa.JSON()),
    sa.column("chain", sa.String()),
)
_NO_UPDATE = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows never change'); END"
)


def upgrade() -> None:
    """To this step. The trigger that forbids changes stands aside while the rows that are there get their hash."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.add_column("audit", sa.Column("chain", sa.String(length=64), server_default="", nullable=False))
    if sqlite:
        op.execute("DROP TRIGGER audit_no_update")
    before = ""
    for row in op.get_bind().execute(sa.select(_AUDIT).order_by(_AUDIT.c.id)).mappings().all():
        told = {
            "id": row["id"],
            "at": f"{row['at'].isoformat()}+00:00",
            **{name: row[name] for name in ("user_id", "user_name", "address", "action", "kind", "object_id")},
            "details": row["details"],
        }
        text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        before = hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
        op.execute(_AUDIT.update().where(_AUDIT.c.id == row["id"]).values(chain=before))
    if sqlite:
        op.execute(_NO_UPDATE)
