"""The table of words, ``words.tsv``: what the words of file names and DICOM descriptions mean, and where they are from.

Words are compared without accents and case. A German umlaut may also be spelt with an e (``verstaerkt``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType


class Sense(StrEnum):
    """What a word says. The weak ones, with a ``?``, only count beside a contrast agent."""

    T1 = "t1"
    T1_SEQUENCE = "t1sequence"
    T2 = "t2"
    FLAIR = "flair"
    AGENT = "agent"
    WEAK_AGENT = "agent?"
    ENHANCED = "enhanced"
    NATIVE = "native"
    WITH = "with"
    WEAK_WITH = "with?"
    WITHOUT = "without"
    WEAK_WITHOUT = "without?"
    BEFORE = "before"
    WEAK_BEFORE = "before?"
    AFTER = "after"
    WEAK_AFTER = "after?"
    EVENT = "event"
    OTHER = "other"
    ELSEWHERE = "elsewhere"
    FEATURE = "feature"
    PICTURE = "picture"
    PLANE = "plane"
    TECHNIQUE = "technique"
    BODY = "body"
    VERSION = "version"
    AND = "and"
    FILLER = "filler"
    NUMBER = "number"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Word:
    """A word of the table, folded. ``behind`` is True in languages whose "before" follows its noun."""

    text: str
    sense: Sense
    language: str = ""
    source: str = ""

    @property
    def behind(self) -> bool:
        """True for Turkish, Chinese, Japanese, Korean, Hungarian and Finnish: kontrast öncesi, 注射前."""
        return not {"tr", "zh", "ja", "ko", "hu", "fi"}.isdisjoint(self.language.split())


_DASHES = dict.fromkeys("−–—‒―‐‑﹣⁻", "-")
_SPECIAL = str.maketrans({"ß": "ss", "ı": "i", "ł": "l", "Ł": "L", "ø": "o", "æ": "ae", "œ": "oe", **_DASHES})
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


def fold(text: str) -> str:
    """Text without accents and full-width forms, whichever way Unicode composes them; upper case stays."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).translate(_SPECIAL)


@cache
def table() -> tuple[Word, ...]:
    """Every word of ``words.tsv`` in the order of the file, folded; phrases have single blanks."""
    text = files(__package__).joinpath("words.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(
        Word(" ".join(spelt.split()), Sense(sense), language, source)
        for sense, language, words, source in rows[1:]
        for word in words.split(",")
        for spelt in dict.fromkeys((fold(word.lower()), fold(word.lower().translate(_UMLAUTS))))
    )


@cache
def lexicon() -> Mapping[str, Word]:
    """The table by word; of two languages that share one, the first row is kept."""
    found: dict[str, Word] = {}
    for word in table():
        found.setdefault(word.text, word)
    return MappingProxyType(found)


@cache
def longest_phrase() -> int:
    """How many words the longest phrase of the table has."""
    return max(len(word.text.split()) for word in table())


CJK = re.compile(r"[぀-ヿ㐀-鿿]")
