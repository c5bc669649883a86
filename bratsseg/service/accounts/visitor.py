"""Visitor: who sends a request."""

from __future__ import annotations

from dataclasses import dataclass

from bratsseg.service.accounts.roles import Role


@dataclass(frozen=True)
class Visitor:
    """A user behind a request. ``csrf`` is empty for API tokens, which no browser sends by itself."""

    user_id: str
    name: str
    roles: frozenset[Role]
    address: str
    csrf: str = ""
    session: str = ""
    """Hash of the session's token; empty for API tokens."""

    def may(self, *roles: Role) -> bool:
        """True when the user holds one of ``roles``."""
        return bool(self.roles & set(roles))
