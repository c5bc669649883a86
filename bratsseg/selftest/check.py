"""One line of the self-test: what was found, what it must be, and what to do when it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """``passed`` is None where nothing was to be judged: a figure alone, or a part that this machine cannot do.

    ``advice`` is one sentence for a failed check, or says why there is no verdict; ``figures`` are for programs.
    """

    name: str
    found: str
    wanted: str
    passed: bool | None
    advice: str = ""
    figures: dict[str, Any] | None = None


def guarded(name: str, check: Callable[[], list[Check]]) -> list[Check]:
    """What ``check`` finds; where it breaks, one failed line of that ``name``, so that the others still come."""
    try:
        return check()
    except Exception as error:  # whatever it is, the other lines are still worth having
        first = str(error).strip().partition("\n")[0] or "no message"
        advice = "run it again; if it stays, send this line and `bratsseg --version` to whoever maintains bratsseg"
        return [Check(name, f"{type(error).__name__}: {first}", "an answer", False, advice)]
