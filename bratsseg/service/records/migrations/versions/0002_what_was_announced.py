"""Files are announced with a checksum; no row of the audit is replaced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bratsseg.service.records.audit import NO_REPLACING

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this step."""
    op.add_column("uploaded_files", sa.Column("crc32", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(NO_REPLACING)
