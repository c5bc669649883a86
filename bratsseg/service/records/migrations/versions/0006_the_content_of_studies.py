"""Studies are known by their voxels too; those that are there stay known by their files alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this step."""
    op.add_column("studies", sa.Column("content", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_studies_content"), "studies", ["content"], unique=False)
