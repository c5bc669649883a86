"""Words that are glued together: ``T1wohneKM`` is ``t1w ohne km``, ``T1Post`` is ``t1 post``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from bratsseg.study.words import CJK, Sense, Word, fold, lexicon, table

_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=T[12])")
_OTHERS = r"\u0370-\u03ff\u0400-\u06ff\u1100-\u11ff"  # Greek, Cyrillic, Hebrew, Arabic, the parts of Korean
_SCRIPTS = re.compile(rf"(?<=[぀-鿿{_OTHERS}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[぀-鿿{_OTHERS}])")
SIGN_WORDS = frozenset({"plusend", "plusminus", "dash", "colon", "zero", "zerodose", "?"})
"""What signs are turned into, but plus and minus, which are words."""
SUFFIXES = {"c": Sense.AGENT, "k": Sense.AGENT, "n": Sense.NATIVE}
"""Letters behind a T1: t1c, t1k, t1n."""
_WEIGHTED = frozenset({Sense.T1, Sense.T1_SEQUENCE, Sense.T2, Sense.FLAIR})
_BEFORE_SUFFIX = frozenset({Sense.T1, Sense.T1_SEQUENCE})
_GOVERNING = frozenset({Sense.AFTER, Sense.BEFORE, Sense.WITHOUT})
_SPEAKING = frozenset({Sense.AGENT, Sense.ENHANCED, Sense.NATIVE})
_TIMES = frozenset({Sense.AFTER, Sense.BEFORE, Sense.WEAK_AFTER, Sense.WEAK_BEFORE})
_SHORT = 3
_GLUING = frozenset({"any", "en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "zh", "ja"})
"""Languages whose short words are found in glued ones as well."""
_STEM_LETTERS = 6  # a word this long is recognised within a longer one that is not known
_INFLECTION = 2  # letters that may follow it; more may turn its sense: kontrastfrei
_NEW_SIGN = 5
DOUBT = "?"
"""Stands before a word about contrast of which a part is not known: nobody can say whether it affirms."""


def words(name: str) -> list[str]:
    """The lower-case words of a file stem or folder name, split on non-alphanumerics, camel case and scripts."""
    parts = [piece for part in re.split(r"[\W_]+", fold(name)) for piece in _SCRIPTS.split(part)]
    return [word.lower() for part in parts for word in humps(part) if word]


@lru_cache(maxsize=1 << 14)
def humps(part: str) -> tuple[str, ...]:
    """``T1Post`` → ``T1 Post``, but not ``MPRAGEadni``, of which the whole says more than its humps."""
    split = tuple(_CAMEL.split(part))
    pieces = [piece for hump in split for piece in split_glued(hump.lower())]
    apart, whole = unknown_letters(pieces), unknown_letters(split_glued(part.lower()))
    return split if len(split) == 1 or apart <= whole else (part,)


def unknown_letters(pieces: Sequence[str]) -> int:
    """How many letters of the pieces no word of the table explains."""
    return sum(len(piece) for piece in pieces if piece not in lexicon() and piece not in SUFFIXES)


@lru_cache(maxsize=4096)
def split_glued(word: str) -> tuple[str, ...]:
    """``t1wohnekm`` → ``t1w ohne km``: the fewest words of the table that make up a word, otherwise the word itself."""
    if word in lexicon() or word in SIGN_WORDS:
        return (word,)
    bare = word.strip("0123456789")
    for whole in dict.fromkeys((word, word.rstrip("0123456789"), word.lstrip("0123456789"), bare)):
        if len(whole) > 1 and (whole[-1:].isalpha() or whole == word) and (found := _pieces(whole)):
            return found
    return _started(word)


def senses_of(word: str) -> frozenset[Sense]:
    """The senses of the pieces of a word, ``UNKNOWN`` for those that are not in the table."""
    known = [lexicon().get(piece) for piece in split_glued(word)]
    return frozenset(Sense.UNKNOWN if piece is None else piece.sense for piece in known)


def _pieces(word: str) -> tuple[str, ...] | None:
    """The fewest known words that make up ``word`` wholly, or None; of Chinese and Japanese single signs may be new."""
    best: list[tuple[int, tuple[str, ...]] | None] = [(0, ())] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            before, piece = best[start], word[start:end]
            if before is None or not _fits(before[1], piece, word[end:]):
                continue
            now = (before[0] + (1 if piece in lexicon() or len(piece) > 1 else _NEW_SIGN), (*before[1], piece))
            if (held := best[end]) is None or now[0] < held[0]:
                best[end] = now
    found = None if best[-1] is None else best[-1][1]
    if not found or len(found) == 1:
        return found
    first = "ce" if found[0] == "c" else found[0]  # ct1
    last = "ce" if found[-1] == "c" and lexicon()[found[-2]].sense in _GOVERNING else found[-1]  # postc
    return (first, *found[1:-1], last)


def _fits(before: tuple[str, ...], piece: str, rest: str) -> bool:
    """True when a piece may stand within a glued word: single letters only as in t1c and ct1."""
    known = lexicon().get(piece)
    if CJK.match(piece):
        return known is not None or len(piece) == 1
    if len(piece) == 1:
        if before and piece in SUFFIXES and not rest.isalpha() and before[-1] in lexicon():
            sense = lexicon()[before[-1]].sense
            return sense in _BEFORE_SUFFIX or (piece == "c" and sense in _GOVERNING)
        return not before and piece == "c" and rest.startswith("t1")
    return (
        known is not None
        and known.sense is not Sense.FILLER
        and not (len(piece) <= _SHORT and _stays_apart(before, known))
    )


def _stays_apart(before: tuple[str, ...], known: Word) -> bool:
    """True for short words that would be found in anybody's id: gm in PDGM. Events stand behind a time: postop."""
    if known.sense is Sense.EVENT:
        return not before or before[-1] not in lexicon() or lexicon()[before[-1]].sense not in _TIMES
    return known.sense is Sense.PICTURE or (known.text.isascii() and _GLUING.isdisjoint(known.language.split()))


def _started(word: str) -> tuple[str, ...]:
    """A word that is known in part: what is known, after ``DOUBT`` where the unknown part may turn its sense."""
    if match := re.match(r"(t[12])(\d+mm\w*)|(t[12]w?)(?!\d)(.+)", word):
        return tuple(piece for piece in match.groups() if piece)
    if "flair" in word:
        return ("flair",)
    if re.match(r"gado[a-z]{3}", word):  # agents yet to come, and declined: po gadolinie
        return ("gadolinium",)
    for length in range(len(word) - 1, 3, -1):  # axspgrast: the longest start that says which weighting
        if (found := _pieces(word[:length])) and any(weighs(piece) and len(piece) > 2 for piece in found):
            return (*found, word[length:])
    inside = max((stem for stem in _stems() if stem in word), key=len, default="")
    if not inside:
        return (word,)
    start, _, end = word.partition(inside)
    bent = bool(start.strip("0123456789")) or len(end.strip("0123456789")) > _INFLECTION
    return (DOUBT, inside) if bent and lexicon()[inside].sense in _SPEAKING else (inside,)


def weighs(piece: str) -> bool:
    """True for a word that says which weighting: T1, T2, FLAIR, or a sequence that is a T1."""
    return piece in lexicon() and lexicon()[piece].sense in _WEIGHTED


@lru_cache(maxsize=1)
def _stems() -> tuple[str, ...]:
    kinds = {*_SPEAKING, Sense.T1_SEQUENCE, Sense.OTHER}
    return tuple(word.text for word in table() if word.sense in kinds and len(word.text) >= _STEM_LETTERS)
