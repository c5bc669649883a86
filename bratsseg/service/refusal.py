"""Why the service says no: an HTTP status, a stable code, a sentence. One shape for programs and for people."""

from __future__ import annotations

from typing import Any

from bratsseg.errors import BratssegError, CaseError


class Refusal(Exception):
    """A request is refused. ``message`` says what must be, what was, and what to do; ``more`` are plain values."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more

    def as_json(self) -> dict[str, Any]:
        """``{code, message}`` and what else a program needs."""
        return {"code": self.code, "message": self.message, **self.more}


def of_error(error: BratssegError, names: dict[str, str] | None = None) -> Refusal:
    """An error of the tree as a refusal with its own code; ``names`` turn our file names into the user's."""
    message = str(error)
    for ours, theirs in (names or {}).items():
        message = message.replace(ours, theirs)
    return Refusal(422 if isinstance(error, CaseError) else 400, error.code, message)


def not_found(what: str) -> Refusal:
    """There is no such thing, or not for this user."""
    return Refusal(404, "not_found", f"there is no such {what}")
