"""What a case and its files are called in results: as the user calls them, or by salted hashes."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from bratsseg.errors import UsageError
from bratsseg.study.case import Case

_SCAN_NAME = re.compile(r"[^\s'\"(),;:]+\.(?:nii\.gz|nii|mha|mhd|nrrd|dcm|tiff?|png|jpe?g|hdr|img)\b", re.IGNORECASE)
_DIGITS = 12


class Names:
    """Names for one batch over the files under ``root``.

    Without a salt a case keeps its id and a file its path below ``root``. With one, both become hashes, the same for
    the same salt, and every text is cleaned of the original names.
    """

    def __init__(self, root: Path, salt: str | None = None) -> None:
        self.root = root
        self._salt = salt

    def case_id(self, case: Case) -> str:
        """The id that results are filed under; ``UsageError`` when it cannot be a folder name."""
        if self._salt is not None:
            return f"case-{self._hash(case.id)}"
        name = plain(case.id)
        if not case.id or any(part in ("", ".", "..") for part in case.id.split("/")) or "\\" in case.id:
            raise UsageError(f"case id {case.id!r}: must be usable as a folder name")
        return name

    def file(self, path: Path) -> str:
        """The file's name in a record: its path below the root."""
        name = plain(self._below_root(path))
        return name if self._salt is None else f"file-{self._hash(name)}"

    def clean(self, text: str, case: Case) -> str:
        """``text`` on one line, without the root's path and, when salted, without the names of the case."""
        text = plain(" ".join(text.split()))
        for root in {plain(str(self.root)), plain(str(self.root.resolve()))} - {"/", "."}:
            text = text.replace(root + "/", "").replace(root + "\\", "").replace(root, "the input folder")
        return text if self._salt is None else self._hide(text, case)

    def clean_value(self, value: Any, case: Case) -> Any:
        """The same for every text inside plain JSON values."""
        if isinstance(value, str):
            return self.clean(value, case)
        if isinstance(value, dict):
            return {str(key): self.clean_value(item, case) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_value(item, case) for item in value]
        return value

    def _hide(self, text: str, case: Case) -> str:
        public = self.case_id(case)
        text = _replace_word(text, plain(case.id), public)
        for word in sorted(self._private_words(case), key=len, reverse=True):
            text = _replace_word(text, word, f"file-{self._hash(word)}")
        return _SCAN_NAME.sub(lambda match: _hidden(match.group(), f"file-{self._hash(match.group())}"), text)

    def _private_words(self, case: Case) -> set[str]:
        paths = [source.path for source in case.sources.values()]
        paths += [path for path in (case.reference, case.mask) if path is not None]
        words: set[str] = set()
        for path in paths:
            below = PurePosixPath(self._below_root(path))
            words |= {str(below), *below.parts, *(_stem(part) for part in below.parts), *_siblings(path)}
        return {plain(word) for word in words if word and word != "."}

    def _below_root(self, path: Path) -> str:
        for candidate, root in ((path, self.root), (path.resolve(), self.root.resolve())):
            if candidate.is_relative_to(root):
                return candidate.relative_to(root).as_posix()
        return path.name

    def _hash(self, text: str) -> str:
        key = (self._salt or "").encode()
        return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:_DIGITS]


def refuse_shared_ids(names: Iterable[str]) -> None:
    """``UsageError`` when two cases would be written to one folder."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"two cases are called {name!r}: rename one, or give each an id with --layout")
        seen.add(name)


def plain(text: str) -> str:
    """``text`` as any record or terminal can hold it: what is no UTF-8 read as Latin-1, control characters as '?'."""
    if not text.isascii():
        raw = text.encode("utf-8", "surrogateescape")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _replace_word(text: str, word: str, by: str) -> str:
    """Replace ``word`` where it stands alone; '1' inside '2.1 mm' is not the case called '1'."""
    return re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w|\.\d)", lambda _: by, text)


def _hidden(found: str, by: str) -> str:
    return found if found.startswith("file-") else by


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _siblings(path: Path) -> set[str]:
    """Names beside a file: a message may list candidates that belong to no case."""
    try:
        return {entry.name for entry in path.parent.iterdir() if entry.is_file()}
    except OSError:
        return set()
