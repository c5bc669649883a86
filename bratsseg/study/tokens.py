"""A file name or a description as words with a sense each, also where they are glued together (``T1wohneKM``)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bratsseg.study.glued import SIGN_WORDS, SUFFIXES, humps, split_glued, unknown_letters, weighs, words
from bratsseg.study.words import Sense, fold, lexicon, longest_phrase

_ENTITY = re.compile(r"(?:^|(?<=_))space-[^_]*", re.IGNORECASE)  # BIDS: what it was resampled to

# Signs, as words of their own.
_APART = r"(?:(?<![\w.,-])|(?<=_)|(?<=\w)-)"
_UNITS = r"\s?(?:ml|cc|mg|mmol|mmols|g|l|dose|doses|%)"
_AGENTS = (
    r"(?:c|ce|cm|gd|gad\w*|k|km|mdc|sk|iv|inj|contrast\w*|kontrast\w*|dotarem|prohance|magnevist|omniscan|multihance"
    r"|clariscan|eovist|primovist|elucirem|vueway)"
)
_SIGNS = (
    (re.compile(r"(?:^|(?<=_))(?:sub|ses)-[^\W_]+(?=_)", re.IGNORECASE), ""),  # BIDS: a subject, a visit
    (re.compile(r"(?:^|(?<=_))sub-(?=[^\W_])", re.IGNORECASE), ""),  # no subtraction
    (re.compile(rf"{_APART}0+(?:[.,]0+)?{_UNITS}(?![^\W_])", re.IGNORECASE), "_zerodose_"),
    (re.compile(rf"{_APART}0(?:[.,]0+)?(?![^\W_]|[.,]\d)"), "_zero_"),
    (re.compile(rf"(?<![a-z])({_AGENTS}|dose)0(?![^\W_])", re.IGNORECASE), r"_\1_zero_"),
    (re.compile(rf"{_APART}0(?={_AGENTS}(?![a-z]))", re.IGNORECASE), "_zero_"),
    (re.compile(rf"\?|[~⊖×]\s?(?={_AGENTS}(?![a-z]))", re.IGNORECASE), "_dash_"),
    (re.compile(rf"({_AGENTS})_-_", re.IGNORECASE), r"\1_dash_"),
    (re.compile(rf"[!¬∅⌀]|-/(?={_AGENTS}(?![a-z]))|\(\s*-\s*\)\s*(?={_AGENTS}(?![a-z]))", re.IGNORECASE), "_minus_"),
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
    (re.compile(rf"(?<![a-z])({_AGENTS})\s?-(?=$|[\s_)\]}},;])", re.IGNORECASE), r"_\1_minus_"),
    (re.compile(rf"(^|[^A-Za-z0-9)\]}}-])-(?={_AGENTS}(?![a-z]))", re.IGNORECASE), r"\1_minus_"),
    (re.compile(rf"([\s_])-[\s_](?={_AGENTS}(?![a-z]))|--+\s?(?={_AGENTS}(?![a-z]))", re.IGNORECASE), "_dash_"),
)

# Phrases over lower-case words joined by "_". What a scan was registered to is not what it is.
_SCAN = r"(?:flair|t[12](?!\d))[a-z]*"
_TOWARDS = (
    re.compile(rf"(?P<self>(?:flair|t[12])[a-z]*?)(?:_?to_?|2){_SCAN}"),
    re.compile(rf"(?<![a-z])(?:(?:co)?reg(?:istered)?_?|warped_?|aligned_?|resampled_?)?(?:to|on)_?{_SCAN}"),
    re.compile(rf"(?<![a-z])in_?{_SCAN}_space"),
)


_PLAIN_LETTERS = 4


@dataclass(frozen=True)
class Token:
    """A word of a name with its sense; ``behind`` says that its language puts it after its noun."""

    text: str
    sense: Sense
    behind: bool = False
    whole: bool = False
    """Written as one word with its T1: t1ce, t1gd, T1POST are modalities of their own."""
    late: bool = False
    """Stands behind an event: the "post" of "visit post"."""


def tokens_of(name: str, silent: Collection[str] = ()) -> list[Token]:
    """Every word of ``name`` with its sense, phrases as one; ``silent`` words are left out (a patient's initials)."""
    text_read = _ENTITY.sub("", fold(name))
    for sign, word in _SIGNS:
        text_read = sign.sub(word, text_read)
    runs = [run for run in re.split(r"[\W_]+", text_read) if run]
    numbered = _patient_numbers(runs)
    joined = "_".join(
        word for run in runs for word in ([run.lower()] if run in numbered else words(run)) if word not in silent
    )
    for phrase in _TOWARDS:
        joined = phrase.sub(lambda match: f"{match.groupdict().get('self') or ''}_", joined)
    pieces: list[str] = []
    opaque = {run.lower() for run in numbered}
    for word in _in_phrases([word for word in joined.split("_") if word]):
        if word in opaque or " " in word:
            pieces.append(word)
        elif pieces and pieces[-1] == "plus":
            pieces += _behind_plus(word)
        else:
            pieces += split_glued(word)
    tokens: list[Token] = []
    for text in _in_phrases(pieces):
        tokens.append(_token(text, tokens[-1] if tokens else None))
    return _with_wholes(_with_subject(tokens), text_read.lower())


def _behind_plus(word: str) -> tuple[str, ...]:
    """``+CVOL`` is ``c vol``."""
    rest = split_glued(word[1:]) if word[1:] and word not in lexicon() and word.startswith("c") else ()
    return ("c", *rest) if rest and not unknown_letters(rest) else split_glued(word)


def _in_phrases(found: Sequence[str]) -> list[str]:
    """The same words with the longest phrases of the table as one, blanks between."""
    joined: list[str] = []
    at = 0
    while at < len(found):
        lengths = range(min(longest_phrase(), len(found) - at), 1, -1)
        length = next((n for n in lengths if " ".join(found[at : at + n]) in lexicon()), 1)
        joined.append(" ".join(found[at : at + length]))
        at += length
    return joined


def _patient_numbers(runs: Sequence[str]) -> set[str]:
    """Runs of letters and digits before any weighting: ``KM12_t1`` is a patient, ``T1_Gd2`` a second scan with Gd.

    What a longer word of the table explains wholly is none: ``post2_t1``, ``nachKM1_t1``.
    """
    found = set()
    for run in runs:
        word = run.lower()
        if word.isdigit():
            continue
        pieces = [piece for hump in humps(run) for piece in split_glued(hump.lower())]
        if any(weighs(piece) for piece in (*pieces, *split_glued(word))):
            break
        mixed = any(sign.isdigit() for sign in word) and any(sign.isalpha() for sign in word)
        explained = not unknown_letters(pieces) and any(len(piece) >= _PLAIN_LETTERS for piece in pieces)
        if mixed and word not in lexicon() and not explained:
            found.add(run)
    return found


def _with_subject(tokens: list[Token]) -> list[Token]:
    """``sub_01_t1`` is a subject's, ``SUB_T1_post`` and ``T1_sub`` are subtractions."""
    subject = len(tokens) > 1 and tokens[0].text == "sub" and tokens[1].sense in (Sense.NUMBER, Sense.UNKNOWN)
    return [Token("sub", Sense.BODY), *tokens[1:]] if subject else tokens


def _with_wholes(tokens: list[Token], text: str) -> list[Token]:
    """Mark what is written as one word with its T1."""
    t1 = (Sense.T1, Sense.T1_SEQUENCE)
    return [
        replace(token, whole=True)
        if token.sense in (Sense.AGENT, Sense.AFTER)
        and (
            (at and tokens[at - 1].sense in t1 and f"{tokens[at - 1].text}{token.text}" in text)
            or (
                at + 1 < len(tokens)
                and tokens[at + 1].sense in t1
                and _starts_t1(token.text, tokens[at + 1].text, text)
            )
        )
        else token
        for at, token in enumerate(tokens)
    ]


def _starts_t1(text: str, t1: str, name: str) -> bool:
    """True for ct1, of which the table makes ce and t1, and for gdt1."""
    return f"{text}{t1}" in name or f"{text[:1]}{t1}" in name


def _token(text: str, before: Token | None) -> Token:
    """A word or phrase of the table, a sign, the letter of t1c, a number, or unknown."""
    known = lexicon().get(text)
    if known is not None:
        return Token(text, known.sense, known.behind)
    if text in SIGN_WORDS:
        return Token(text, Sense.TECHNIQUE if text == "colon" else Sense.UNKNOWN)
    if before is not None and before.sense in (Sense.T1, Sense.T1_SEQUENCE) and text in SUFFIXES:
        return Token(text, SUFFIXES[text])
    return Token(text, Sense.NUMBER if any(sign.isdigit() for sign in text) else Sense.UNKNOWN)
