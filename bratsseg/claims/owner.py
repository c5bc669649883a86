"""Which process a claim belongs to, and whether that process is known to be gone."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class ClaimOwner:
    """A process. ``space`` names where its number counts: the boot of a machine, and a container's own numbers."""

    host: str
    pid: int
    space: str = ""
    started: str = ""

    @classmethod
    def me(cls) -> ClaimOwner:
        """This process."""
        return cls(platform.node(), os.getpid(), _space(), _started(os.getpid()) or "")

    @property
    def label(self) -> str:
        """The same as a part of a file's name."""
        return f"{self.space or '0'}-{self.pid}-{self.started or '0'}"

    @classmethod
    def of_label(cls, label: str) -> ClaimOwner | None:
        """The owner that ``label`` is of, without its host; None for any other text."""
        space, _, rest = label.partition("-")
        pid, _, started = rest.partition("-")
        return cls("", int(pid), space, started) if pid.isdigit() and started else None

    def is_gone(self) -> bool:
        """True when this process sees that the owner ended. Of another machine or container nobody can see that."""
        if not self.space or self.space != _space() or not self.started:
            return False
        return _started(self.pid) != self.started


@cache
def _space() -> str:
    """The same for processes that see each other by number, and for no others; empty where the system does not say."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        numbers = (_PROC / "self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{platform.node()} {boot} {numbers}".encode()).hexdigest()[:16]


def _started(pid: int) -> str | None:
    """When a process began, in ticks since the boot; None when there is none, or only its exit code is left."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, began = fields[0], fields[19]
    return None if state in "ZX" else began
