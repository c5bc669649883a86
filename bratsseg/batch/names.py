"""What a case and its files are called in results: as the user calls them, or by salted hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from bratsseg.results.filenames import BIDS_FOLDER, INDEX, TABLE
from bratsseg.study.case import Case
from bratsseg.study.modality import Modality

_SCAN_NAME = re.compile(r"[^\s'\"(),;:]+\.(?:nii\.gz|nii|mha|mhd|nrrd|dcm|tiff?|png|jpe?g|hdr|img)\b", re.IGNORECASE)
_DIGITS = 12
_OURS = (TABLE, INDEX, BIDS_FOLDER)
_NO_PATH_BEFORE = r"(?<![\w./\\~-])"
_NOT_IN_NAMES = re.compile(r"[^\w .+@=()-]", re.ASCII)
_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # Unicode's Bidi_Control
_EVERYDAY = re.compile(rf"[a-z ]+|NaN|\d{{1,4}}|{'|'.join(modality.label for modality in Modality)}")


class Names:
    """Names for one batch of ``cases`` over the files under ``root``.

    Without a salt a case keeps its id and a file its path below ``root``. With one, both become hashes, the same for
    the same salt, and every text is cleaned of the original names.
    """

    def __init__(
        self, root: Path, salt: str | None = None, cases: Iterable[Case] = (), *, ignores_case: bool = False
    ) -> None:
        """``ignores_case`` says that the disk of the results holds ``A`` and ``a`` for one name."""
        self.root = root
        self._salt = salt
        self._ignores_case = ignores_case
        self._times = Counter(self._filed(case) for case in cases)
        self._roots = {_one_line(str(root)), _one_line(str(root.resolve()))} - {"/", "."}

    def case_id(self, case: Case) -> str:
        """The id that results are filed under; of a case that is ``unfit``, one that is only for its refusal."""
        if self._salt is not None:
            return f"case-{self._hash(case.id)}"
        if self.unfit(case) is None:
            return plain(case.id)
        return f"{_NOT_IN_NAMES.sub('_', plain(case.id)).strip(' .-')}-{self._hash(case.id)}".lstrip("-")

    def unfit(self, case: Case) -> str | None:
        """Why results cannot be filed under the case's own id, or None when they can, as with a salt they always do."""
        if self._salt is not None:
            return None
        if self._times[self._filed(case)] > 1:
            where = " on the disk of the results, which ignores capitals" if self._ignores_case else ""
            return f"its id must differ from every other case's, but reads as another's does{where}; rename one"
        return unfit_as_folder(case.id)

    def _filed(self, case: Case) -> str:
        """What two cases must not share; a disk that ignores capitals takes two spellings of a letter for one too."""
        name = plain(case.id)
        return unicodedata.normalize("NFC", name).casefold() if self._ignores_case else name

    def file(self, path: Path) -> str:
        """The file's name in a record: its path below the root."""
        name = plain(self._below_root(path))
        return name if self._salt is None else f"file-{self._hash(name)}"

    def clean(self, text: str, case: Case) -> str:
        """``text`` on one line, without the root's path and, when salted, without the names of the case.

        Only paths are cleaned: a root called ``in`` is no reason to touch the words of a sentence.
        """
        text = _one_line(text)
        for root in sorted(self._roots, key=len, reverse=True):
            text = self._without_root(text, root, case)
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

    def _without_root(self, text: str, root: str, case: Case) -> str:
        """``text`` with paths told from ``root`` on; neither ``inside`` nor ``in-2`` is a root called ``in``."""
        path = _NO_PATH_BEFORE + re.escape(root)
        if "/" in root or "\\" in root:
            text = re.sub(path + r"[/\\](?=[^\s'\"])", "", text)
            return re.sub(path + r"[/\\]?(?![\w/\\-]|\.\w)", "the input folder", text)
        below = "|".join(re.escape(name) for name in self._first_names(case))  # "Input/output error" is no path
        return re.sub(path + rf"[/\\](?=(?:{below})(?!\w))", "", text) if below else text

    def _first_names(self, case: Case) -> set[str]:
        """What may follow the root in a path of this case."""
        belows = [PurePosixPath(self._below_root(path)) for path in _files(case)]
        names = {below.parts[0] for below in belows if below.parts}
        beside = {name for path in _files(case) if path.parent == self.root for name in _siblings(path)}
        return {plain(name) for name in names | beside}

    def _hide(self, text: str, case: Case) -> str:
        public = self.case_id(case)
        text = _replace_word(text, plain(case.id), public)
        for word in sorted(self._private_words(case), key=len, reverse=True):
            text = _replace_word(text, word, f"file-{self._hash(word)}")
        text = _replace_name(text, _one_line(self.root.resolve().name), "the input folder")
        return _SCAN_NAME.sub(lambda match: _hidden(match.group(), f"file-{self._hash(match.group())}"), text)

    def _private_words(self, case: Case) -> set[str]:
        words: set[str] = set()
        for path in _files(case):
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


def unfit_as_folder(case_id: str) -> str | None:
    """Why results cannot be filed in a folder called so, or None when they can.

    Refused is what a path or a terminal takes for something else. Signs that Windows alone forbids (``: * ? < > | "``)
    are taken: hospitals write times and sequences with them, and a disk that cannot hold them says so itself.
    """
    parts = case_id.split("/")
    if any(part in ("", ".", "..") for part in parts):
        was = f"was {plain(case_id)!r}"
    elif parts[0] in _OURS:
        was = "but the results have a file or folder of that name"
    elif "\\" in case_id:
        was = "but has a backslash, which parts folders on Windows"
    elif any(_steers(sign) for sign in _decoded(case_id)):
        was = "but has control characters"
    elif not _encodable(case_id):
        was = f"but names are {sys.getfilesystemencoding()} here; set LC_ALL=C.UTF-8"
    elif any(part[-1] in " ." for part in parts):
        was = "but ends in a space or a dot, which are lost on some disks"
    elif any(part[0] == "-" for part in parts):
        was = "but begins with '-', as options do"
    else:
        return None
    return f"its id must be usable as a folder name, {was}; rename it, or give an id with --layout"


def _steers(sign: str) -> bool:
    """True for what steers a terminal or a page: control characters, ends of lines, changes of the direction."""
    return unicodedata.category(sign) in ("Cc", "Zl", "Zp") or sign in _DIRECTIONS


def _encodable(case_id: str) -> bool:
    try:
        os.fsencode(plain(case_id))
    except UnicodeEncodeError:
        return False
    return True


def plain(text: str) -> str:
    """``text`` as any record or terminal can hold it: what is no UTF-8 read as Latin-1, control characters as '?'."""
    return "".join(sign if sign.isprintable() or unicodedata.category(sign) == "Zs" else "?" for sign in _decoded(text))


def _decoded(text: str) -> str:
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _one_line(text: str) -> str:
    return plain(" ".join(text.split()))


def _files(case: Case) -> list[Path]:
    paths = [source.path for source in case.sources.values()]
    return paths + [path for path in (case.reference, case.mask) if path is not None]


def _replace_word(text: str, word: str, by: str) -> str:
    """Replace ``word`` where it stands alone; '1' inside '2.1 mm' is not the case called '1'.

    A word that a sentence may hold as well (``mask``, ``in``, ``T1``, ``6``) is replaced only where it is plainly a
    name: in a path, in quotes, or after "case" or "folder".
    """
    if _EVERYDAY.fullmatch(word):
        return _replace_name(text, word, by)
    return re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w|\.\d)", lambda _: by, text)


def _replace_name(text: str, word: str, by: str) -> str:
    name, end = re.escape(word), r"(?!\w|\.\d)"
    pattern = rf"(?:(?<=[/\\'\"])|(?<=\bcase )|(?<=\bfolder )){name}{end}|(?<![\w.]){name}(?=[/\\])"
    return re.sub(pattern, lambda _: by, text)


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
