"""What every request needs: settings, store, limiter, attempts, queues of heavy work. One of each in a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from bratsseg.service.accounts.limits import Limiter
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.attempts import Attempts
from bratsseg.service.heavy import HeavyWork
from bratsseg.service.records import Store
from bratsseg.service.refusal import Refusal
from bratsseg.service.settings import Settings


@dataclass(frozen=True)
class Context:
    """The parts of one running service."""

    settings: Settings
    store: Store
    limiter: Limiter
    attempts: Attempts
    checks: HeavyWork
    corrections: HeavyWork

    @classmethod
    def open(cls, settings: Settings) -> Context:
        """Make the folders and bring the database to today's tables."""
        settings.make_folders()
        store = Store(settings.database)
        store.migrate()
        waiting = settings.limits.waiting
        checks, corrections = HeavyWork("check", waiting), HeavyWork("correct", waiting)
        return cls(settings, store, Limiter(settings.accounts), Attempts(store), checks, corrections)

    def close(self) -> None:
        """End what waits, and close the database."""
        self.checks.close()
        self.corrections.close()
        self.store.close()


def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


def _visitor(request: Request) -> Visitor:
    visitor: Visitor | None = request.state.visitor
    if visitor is None:
        raise Refusal(401, "not_logged_in", "log in first")
    return visitor


ContextOf = Annotated[Context, Depends(_context)]
"""The service's parts, for a route."""
VisitorOf = Annotated[Visitor, Depends(_visitor)]
"""Who asks, for a route; the gate has let them in."""
