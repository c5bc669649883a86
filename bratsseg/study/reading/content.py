"""Content: the bytes behind a path, read from the disk once, so that hash and voxels are of the same moment."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bratsseg.errors import ReadError
from bratsseg.study.detached import companions
from bratsseg.study.stack import FileState, Member, hash_of, hash_of_members, hash_of_parts, is_plain, members, state_of

MOST_KEPT = 1 << 29
"""Bytes. What has more is not kept in memory but read again: no scan of a head has so many."""


@dataclass(frozen=True, eq=False)
class Content:
    """What lies behind ``path``: a file, with those that hold its voxels (``detached``), or the slices of a stack.

    ``kept`` are bytes by file, of a stack in the order of its slices. Whatever is not kept is read from the disk each
    time that it is asked for, so a content without any is what the disk holds now.
    """

    path: Path
    kept: dict[Path, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Content:
        """Read all of it, and keep it when it has at most ``MOST_KEPT`` bytes; ``OSError`` or ``ReadError``."""
        kept: dict[Path, bytes] = {}
        room = MOST_KEPT
        files = members(path)
        if is_plain(path):
            files += [Member(part) for part in companions(path)]
        for member in files:
            if member.archive is None and member.path.stat().st_size > room:
                return cls(path)
            kept[member.path] = member.read()
            room -= len(kept[member.path])
            if room < 0:
                return cls(path)
        return cls(path, kept)

    def open(self, path: Path | None = None) -> BinaryIO:
        """The bytes of ``path``, which may be another file of a pair, as a stream; ``OSError``."""
        path = path or self.path
        return io.BytesIO(self.kept[path]) if path in self.kept else path.open("rb")

    def size_of(self, path: Path) -> int:
        """How many bytes ``path`` has; ``OSError``."""
        return len(self.kept[path]) if path in self.kept else path.stat().st_size

    def bytes_of(self, member: Member) -> bytes:
        """All bytes of one member; ``OSError`` or ``ReadError``."""
        return self.kept[member.path] if member.path in self.kept else member.read()

    def members(self) -> Sequence[Member]:
        """The files in the order of a stack's slices; ``OSError`` when there are none."""
        return members(self.path) if is_plain(self.path) or not self.kept else [Member(path) for path in self.kept]

    def sha256(self) -> str:
        """As ``stack.hash_of`` defines it, of the bytes that are kept; ``OSError`` or ``ReadError``."""
        if not self.kept:
            return hash_of(self.path)
        if is_plain(self.path):
            return hash_of_parts([hashlib.sha256(content).digest() for content in self.kept.values()])
        return hash_of_members((path.name, content) for path, content in self.kept.items())


def read_content(path: Path) -> tuple[Content, FileState]:
    """Read and hash what lies behind a path; what cannot be read is left to the reader of its format, who says why."""
    size = changed = None
    try:
        size, changed = state_of(path)  # before reading: a file that changes meanwhile must look changed later
        content = Content.read(path)
        return content, FileState(size, changed, content.sha256())
    except (OSError, ReadError):
        return Content(path), FileState(size, changed)
