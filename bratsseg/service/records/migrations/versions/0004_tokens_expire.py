"""API tokens expire; those that are there have ninety days left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this step."""
    ends = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=90)
    op.add_column("api_tokens", sa.Column("expires_at", sa.DateTime(), nullable=True))
    op.execute(sa.table("api_tokens", sa.column("expires_at", sa.DateTime())).update().values(expires_at=ends))
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.alter_column("expires_at", existing_type=sa.DateTime(), nullable=False)
