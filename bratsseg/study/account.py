"""Account: how many files of a folder were seen, how many were used, and why the others were left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bratsseg.wording import counted


class FileKind(StrEnum):
    """What a file that was left out looks like."""

    SCAN = "scan"
    LABEL_MAP = "label map"
    OTHER = "other"


@dataclass(frozen=True)
class LeftOutFile:
    """A file that was not used: ``file`` is its path below the folder with '/', ``why`` a reason in a few words."""

    file: str
    kind: FileKind
    why: str


@dataclass(frozen=True)
class Account:
    """Every image file of a folder: ``seen`` equals the number of ``used`` and ``left_out`` together, always."""

    what: str
    """What was looked for, in the plural: "label maps", "scans"."""
    used: int
    left_out: tuple[LeftOutFile, ...] = ()
    missed: frozenset[FileKind] = frozenset()
    """Kinds that must not be left out unnoticed."""

    @property
    def seen(self) -> int:
        """How many image files the folder holds."""
        return self.used + len(self.left_out)

    @property
    def overlooked(self) -> tuple[LeftOutFile, ...]:
        """What was left out although it looks like what was looked for."""
        return tuple(item for item in self.left_out if item.kind in self.missed)

    def lines(self, owner: str, most: int = 10) -> Iterator[str]:
        """The account in words, ``owner`` first: the totals, the reasons, and each file that was overlooked."""
        line = f"{owner}: {counted(self.seen, 'image file')} seen, {self.used} used"
        reasons = Counter(item.why for item in self.left_out if item.kind not in self.missed)
        if self.left_out:
            line += f", {len(self.left_out)} left out"
        if reasons:
            line += " (" + ", ".join(f"{number} {why}" for why, number in reasons.most_common()) + ")"
        yield line
        found = self.overlooked
        yield from (f"  left out {item.file}: looks like a {item.kind}, {item.why}" for item in found[:most])
        if len(found) > most:
            more = f"and {len(found) - most} more that look" if most else f"{len(found)} look"
            yield f"  {more} like {self.what}"

    def as_json(self) -> dict[str, Any]:
        """Plain values for a file; every file that was left out is listed."""
        left = [{"file": item.file, "kind": str(item.kind), "why": item.why} for item in self.left_out]
        return {"seen": self.seen, "used": self.used, "left_out": left}
