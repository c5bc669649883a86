"""The door to the database. What is SQLite's own is here, and the audit's triggers are in the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session

_SQLITE = ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 15000")


class Store:
    """A database, and sessions on it: ``reading()`` for looking, ``writing()`` for one change, whole or not at all."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_engine(url, pool_size=8, max_overflow=24, pool_timeout=15, hide_parameters=True)
        if self.engine.dialect.name == "sqlite":
            _set_up_sqlite(self.engine)
        self._writing = self.engine.execution_options(writes=True)

    def migrate(self) -> None:
        """Bring the database to today's tables; an empty one gets all of them."""
        config = AlembicConfig()
        config.set_main_option("script_location", "bratsseg.service.records:migrations")
        with self._writing.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end, or rolled back whole when anything is raised.

        On SQLite it takes the write lock at its beginning, so that what it reads cannot change before it writes.
        """
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin below, where the driver would begin them too late
        cursor = connection.cursor()
        for pragma in _SQLITE:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
