"""The four roles. A user may hold several."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a user is allowed to be; ``access.RULES`` says what each may do."""

    VIEWER = "viewer"
    RADIOLOGIST = "radiologist"
    DATA_MANAGER = "data-manager"
    ADMINISTRATOR = "administrator"


EVERYONE = frozenset(Role)
