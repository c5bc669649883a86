"""The files that claims are made of, in one folder that all share. Each method is one step that others may see.

Nothing here relies on locks or on clocks of the machines. A file comes whole or not at all, by a hard link, and whoever
made it reads it again: over a network a link may be made and its answer lost. Files are opened before their times are
asked, because that is when a network file system looks whether what it remembers still holds. The time of day is that
of a file just written: the file system's own clock, the same for all.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bratsseg.claims.owner import ClaimOwner

_TRIES = 20


@dataclass(frozen=True)
class ClaimFile:
    """A claim as it was read: its file, what is claimed, by whom, and when the owner last wrote (ns)."""

    name: str
    text: str
    token: str
    what: str
    owner: ClaimOwner | None
    beaten_ns: int


def claim_text(what: str, owner: ClaimOwner, token: str) -> str:
    """What a claim's file holds."""
    facts = {"what": what, "host": owner.host, "pid": owner.pid, "space": owner.space, "started": owner.started}
    return json.dumps({**facts, "token": token}, ensure_ascii=False) + "\n"


class ClaimFiles:
    """The files in ``folder``, which is made when it is needed."""

    def __init__(self, folder: Path, owner: ClaimOwner | None = None) -> None:
        self.folder = folder
        self.owner = owner or ClaimOwner.me()

    def put(self, name: str, text: str) -> bool:
        """Make the file ``name``; False when another is there."""
        with self._own_file(".part") as part:
            part.write_text(text, encoding="utf-8")
            with suppress(FileExistsError):  # or it is ours, and the answer was lost
                try:
                    (self.folder / name).hardlink_to(part)
                except FileExistsError:
                    raise
                except OSError:  # a file system without hard links
                    with (self.folder / name).open("x", encoding="utf-8") as stream:
                        stream.write(text)
        found = self.read(name)
        return found is not None and found.text == text

    def read(self, name: str) -> ClaimFile | None:
        """The file ``name``, or None when there is none. Of one that is not whole nobody is the owner."""
        try:
            with (self.folder / name).open(encoding="utf-8", errors="replace") as stream:
                text, beaten = stream.read(), os.fstat(stream.fileno()).st_mtime_ns
        except OSError:
            return None
        try:
            facts = json.loads(text)
            owner = ClaimOwner(facts["host"], facts["pid"], facts["space"], facts["started"])
            return ClaimFile(name, text, str(facts["token"]), str(facts["what"]), owner, beaten)
        except (ValueError, KeyError, TypeError):
            return ClaimFile(name, text, "torn", "", None, beaten)

    def beat(self, name: str, text: str) -> bool:
        """Write the file ``name`` again, byte for byte, so that it is young; False when it no longer holds ``text``."""
        try:
            with (self.folder / name).open("r+b") as stream:
                if stream.read() != text.encode():
                    return False
                stream.seek(0)
                stream.write(text.encode())
        except OSError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove the file ``name``."""
        with suppress(OSError):
            (self.folder / name).unlink()

    def now_ns(self) -> int:
        """The time by the clock of the file system, ns."""
        with self._own_file(".clock") as probe:
            probe.write_bytes(b"now\n")
            with probe.open("rb") as stream:
                return os.fstat(stream.fileno()).st_mtime_ns

    def names(self) -> list[str]:
        """Every file in the folder, the hidden ones of single steps too."""
        with suppress(OSError):
            return sorted(entry.name for entry in os.scandir(self.folder))
        return []

    def author(self, name: str) -> ClaimOwner | None:
        """Whose step the hidden file ``name`` belongs to; None for the file of a claim."""
        return ClaimOwner.of_label(name[1:].partition(".")[0]) if name.startswith(".") else None

    def remove_folder(self) -> None:
        """Remove the folder if nothing is in it."""
        with suppress(OSError):
            self.folder.rmdir()

    @contextmanager
    def _own_file(self, end: str) -> Iterator[Path]:
        """A new empty file of this process, removed at the end. Its name tells whose it is, should it be left."""
        path = self.folder / f".{self.owner.label}.{secrets.token_hex(4)}{end}"
        for attempt in range(_TRIES):
            try:
                path.open("xb").close()
                break
            except FileNotFoundError:  # whoever left last took the folder away
                if attempt == _TRIES - 1:
                    raise
                self.folder.mkdir(exist_ok=True)
        try:
            yield path
        finally:
            with suppress(OSError):
                path.unlink()
