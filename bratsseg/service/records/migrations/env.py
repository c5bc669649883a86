"""What Alembic runs: the migrations over the connection it is given."""

from __future__ import annotations

from alembic import context

from bratsseg.service.records import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the store has begun a transaction, and ends it
)
context.run_migrations()
