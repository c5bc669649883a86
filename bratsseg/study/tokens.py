"""A file name or a description as words with a sense each, also where they are glued together (``T1wohneKM``)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bratsseg.study.words import CJK, Sense, fold, lexicon, longest_phrase, table

CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=T[12])")
_SCRIPTS = re.compile(r"(?<=[぀-鿿])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[぀-鿿])")
_ENTITY = re.compile(r"(?:^|(?<=_))space-[^_]*", re.IGNORECASE)  # BIDS: what it was resampled to

# Signs, as words of their own.
_AGENTS = r"(?:c|ce|cm|gd|gad\w*|k|km|mdc|sk|iv|inj|contrast\w*|kontrast\w*)"
_SIGNS = (
    (re.compile(r"(?:^|(?<=_))sub-(?=[^\W_])", re.IGNORECASE), ""),  # BIDS: the subject, no subtraction
    (re.compile(r":"), "_colon_"),
    (re.compile(r"(?<=t2)(w?)[\W_]*\*", re.IGNORECASE), r"\1_star_"),
    (re.compile(r"\s*\(\s*([+-])\s*\)"), r"\1 "),
    (re.compile(r"(?<![a-z])w\s*[&+]?\s*wo(?![a-z])", re.IGNORECASE), "_w_wo_"),
    (re.compile(r"±|\+\s*/?\s*-(?=\W|_|$|[cgk])", re.IGNORECASE), "_plusminus_"),
    (re.compile(r"(?<![a-z])w\s*/\s*o(?![a-z])", re.IGNORECASE), "_without_"),
    (re.compile(r"(?<![a-z])w/\s*", re.IGNORECASE), "_w_"),
    (re.compile(r"(?<![a-z0-9])c/\s*(?=[a-z])", re.IGNORECASE), "_con_"),
    (re.compile(r"(?<![a-z0-9])s/\s*(?=[a-z])", re.IGNORECASE), "_sin_"),
    (re.compile(r"(?<=[^\W_])\+(?=$|[\s_).\]-])|\+(?=[\s_]*$)"), "_plusend_"),
    (re.compile(r"\+"), "_plus_"),
    (re.compile(rf"(?<![a-z])({_AGENTS})\s?-(?=$|[\s_)\]])", re.IGNORECASE), r"_\1_minus_"),
    (re.compile(rf"(^|[\s_(\[])-(?={_AGENTS}(?![a-z]))", re.IGNORECASE), r"\1_minus_"),
    (re.compile(r"([\s_])-[\s_](?=(?:c|ce|gd|km)(?![a-z]))", re.IGNORECASE), r"\1_dash_"),
)

# Phrases over lower-case words joined by "_". What a scan was registered to is not what it is.
_SCAN = r"(?:flair|t[12](?!\d))[a-z]*"
_TOWARDS = (
    re.compile(rf"(?P<self>(?:flair|t[12])[a-z]*?)(?:_?to_?|2){_SCAN}"),
    re.compile(rf"(?<![a-z])(?:(?:co)?reg(?:istered)?_?|warped_?|aligned_?|resampled_?)?(?:to|on)_?{_SCAN}"),
    re.compile(rf"(?<![a-z])in_?{_SCAN}_space"),
)
_SIGN_WORDS = frozenset({"plusend", "plusminus", "dash", "colon", "?"})
_WEIGHTED = frozenset({Sense.T1, Sense.T1_SEQUENCE, Sense.T2, Sense.FLAIR})
_SUFFIXES = {"c": Sense.AGENT, "k": Sense.AGENT, "n": Sense.NATIVE}  # t1c, t1k, t1n
_BEFORE_SUFFIX = frozenset({Sense.T1, Sense.T1_SEQUENCE})
_GOVERNING = frozenset({Sense.AFTER, Sense.BEFORE, Sense.WITHOUT})
_SPEAKING = frozenset({Sense.AGENT, Sense.ENHANCED, Sense.NATIVE})
_PLAIN_LETTERS = 4
_STEM_LETTERS = 6  # a word this long is recognised within a longer one that is not known
_INFLECTION = 2  # letters that may follow it; more may turn its sense: kontrastfrei
_NEW_SIGN = 5
DOUBT = "?"
"""Stands before a word about contrast of which a part is not known: nobody can say whether it affirms."""


@dataclass(frozen=True)
class Token:
    """A word of a name with its sense; ``behind`` says that its language puts it after its noun."""

    text: str
    sense: Sense
    behind: bool = False


def words(name: str) -> list[str]:
    """The lower-case words of a file stem or folder name, split on non-alphanumerics, camel case and scripts."""
    parts = [piece for part in re.split(r"[\W_]+", fold(name)) for piece in _SCRIPTS.split(part)]
    return [word.lower() for part in parts for word in _humps(part) if word]


def _humps(part: str) -> list[str]:
    """``T1Post`` → ``T1 Post``, but not ``MPRAGEadni``, of which the whole says more than its humps."""
    humps = CAMEL.split(part)
    if len(humps) == 1 or _unknown([p for hump in humps for p in split_glued(hump.lower())]) <= _unknown(
        split_glued(part.lower())
    ):
        return humps
    return [part]


def tokens_of(name: str, silent: Collection[str] = ()) -> list[Token]:
    """Every word of ``name`` with its sense, phrases as one; ``silent`` words are left out (a patient's initials)."""
    text = _ENTITY.sub("", fold(name))
    for sign, word in _SIGNS:
        text = sign.sub(word, text)
    runs = [run for run in re.split(r"[\W_]+", text) if run]
    numbered = _patient_numbers(runs)
    joined = "_".join(
        word for run in runs for word in ([run.lower()] if run in numbered else words(run)) if word not in silent
    )
    for phrase in _TOWARDS:
        joined = phrase.sub(lambda match: f"{match.groupdict().get('self') or ''}_", joined)
    pieces: list[str] = []
    opaque = {run.lower() for run in numbered}
    for word in filter(None, joined.split("_")):
        if word in opaque:
            pieces.append(word)
            continue
        signed = bool(pieces) and pieces[-1] == "plus" and word[0] == "c" and not _unknown(split_glued(word[1:]))
        pieces += ("c", *split_glued(word[1:])) if signed and word not in lexicon() else split_glued(word)
    return _with_phrases(pieces)


def _patient_numbers(runs: Sequence[str]) -> set[str]:
    """Runs of letters and digits before any weighting: ``KM12_t1`` is a patient, ``T1_Gd2`` a second scan with Gd.

    What a longer word of the table explains wholly is none: ``post2_t1``, ``nachKM1_t1``.
    """
    found = set()
    for run in runs:
        word = run.lower()
        pieces = [piece for hump in _humps(run) for piece in split_glued(hump.lower())]
        if any(_weighs(piece) for piece in (*pieces, *split_glued(word))):
            break
        mixed = any(sign.isdigit() for sign in word) and any(sign.isalpha() for sign in word)
        explained = not _unknown(pieces) and any(len(piece) >= _PLAIN_LETTERS for piece in pieces)
        if mixed and word not in lexicon() and not explained:
            found.add(run)
    return found


def _unknown(pieces: Sequence[str]) -> int:
    """How many letters of the pieces no word of the table explains."""
    return sum(len(piece) for piece in pieces if piece not in lexicon() and piece not in _SUFFIXES)


@lru_cache(maxsize=4096)
def split_glued(word: str) -> tuple[str, ...]:
    """``t1wohnekm`` → ``t1w ohne km``: the fewest words of the table that make up a word, else the word itself."""
    if word in lexicon() or word in _SIGN_WORDS:
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
        if before and piece in _SUFFIXES and not rest.isalpha() and before[-1] in lexicon():
            sense = lexicon()[before[-1]].sense
            return sense in _BEFORE_SUFFIX or (piece == "c" and sense in _GOVERNING)
        return not before and piece == "c" and rest.startswith("t1")
    return known is not None and known.sense is not Sense.FILLER


def _started(word: str) -> tuple[str, ...]:
    """A word that is known in part: what is known, after ``DOUBT`` where the unknown part may turn its sense."""
    if match := re.match(r"(t[12])(\d+mm\w*)|(t[12]w?)(?!\d)(.+)", word):
        return tuple(piece for piece in match.groups() if piece)
    if "flair" in word:
        return ("flair",)
    if re.match(r"gado[a-z]{3}", word):  # agents yet to come, and declined: po gadolinie
        return ("gadolinium",)
    for end in range(len(word) - 1, 3, -1):  # axspgrast: the longest start that says which weighting
        if (found := _pieces(word[:end])) and any(_weighs(piece) and len(piece) > 2 for piece in found):
            return (*found, word[end:])
    inside = max((stem for stem in _stems() if stem in word), key=len, default="")
    if not inside:
        return (word,)
    start, _, end = word.partition(inside)
    bent = bool(start.strip("0123456789")) or len(end.strip("0123456789")) > _INFLECTION
    return (DOUBT, inside) if bent and lexicon()[inside].sense in _SPEAKING else (inside,)


def _weighs(piece: str) -> bool:
    return piece in lexicon() and lexicon()[piece].sense in _WEIGHTED


@lru_cache(maxsize=1)
def _stems() -> tuple[str, ...]:
    kinds = {*_SPEAKING, Sense.T1_SEQUENCE, Sense.OTHER}
    return tuple(word.text for word in table() if word.sense in kinds and len(word.text) >= _STEM_LETTERS)


def _with_phrases(pieces: Sequence[str]) -> list[Token]:
    """Pieces as tokens, the longest phrases of the table first."""
    tokens: list[Token] = []
    at = 0
    while at < len(pieces):
        for length in range(min(longest_phrase(), len(pieces) - at), 0, -1):
            text = " ".join(pieces[at : at + length])
            known = lexicon().get(text)
            if known is not None:
                tokens.append(Token(text, known.sense, known.behind))
                break
        else:
            length, text = 1, pieces[at]
            tokens.append(_token(text, tokens[-1] if tokens else None))
        at += length
    return tokens


def _token(text: str, before: Token | None) -> Token:
    """A piece that is not in the table: a sign, the letter of t1c, a number, or unknown."""
    if text in _SIGN_WORDS:
        return Token(text, Sense.TECHNIQUE if text == "colon" else Sense.UNKNOWN)
    if before is not None and before.sense in {Sense.T1, Sense.T1_SEQUENCE} and text in _SUFFIXES:
        return Token(text, _SUFFIXES[text])
    return Token(text, Sense.NUMBER if any(sign.isdigit() for sign in text) else Sense.UNKNOWN)
