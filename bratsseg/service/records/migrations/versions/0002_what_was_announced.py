"""Files are announced with a checksum; no row of the audit is replaced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NO_REPLACING = (
    "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
    "BEGIN SELECT RAISE(ABORT, 'audit rows never change'); END"
)
"""INSERT OR REPLACE removes the row that is in its way without asking the triggers of before."""


def upgrade() -> None:
    """To this step."""
    op.add_column("uploaded_files", sa.Column("crc32", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_NO_REPLACING)
