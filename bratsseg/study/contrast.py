"""What the words of a name say of contrast agent: given, not given, both, or nothing.

Negation and "before" bind before affirmation: ``T1 ohne KM``, ``kontrast öncesi`` and ``contrast_none`` deny what KM,
kontrast and contrast alone would affirm. Visits are taken out first: ``post op`` says nothing of contrast. What stays
said both ways is left open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bratsseg.study.glued import DOUBT, SIGN_WORDS
from bratsseg.study.tokens import Token
from bratsseg.study.words import Sense

GIVEN, NOT_GIVEN = "with contrast", "without contrast"

_AGENTS = {Sense.AGENT, Sense.WEAK_AGENT, Sense.ENHANCED}
_DENIES = {Sense.WITHOUT, Sense.WEAK_WITHOUT, Sense.BEFORE, Sense.WEAK_BEFORE}
_AFFIRMS = {Sense.WITH, Sense.WEAK_WITH, Sense.AFTER, Sense.WEAK_AFTER}
_TIMES = {Sense.BEFORE, Sense.WEAK_BEFORE, Sense.AFTER, Sense.WEAK_AFTER}
_CHOOSES = {Sense.WITH, Sense.WEAK_WITH, Sense.WITHOUT, Sense.WEAK_WITHOUT}
GOVERNING = frozenset({*_DENIES, *_AFFIRMS})
"""The senses of words that affirm or deny the agent beside them."""
ABOUT_CONTRAST = frozenset({*_AGENTS, *_DENIES, *_AFFIRMS, Sense.NATIVE, Sense.AND, Sense.FILLER})
"""The senses of words that speak of contrast, and of those that join them."""
_T1 = {Sense.T1, Sense.T1_SEQUENCE}
_LETTERS = {"c", "k"}  # contrast, but only beside a sign: C+, w/o C
_NO_LETTERS = {"n", "f"}  # no, false: contrast_N

_Item = Token | str
"""A word that is still to be read, or what was said: ``GIVEN``, ``NOT_GIVEN`` or ``DOUBT``."""


def said_of_contrast(tokens: Sequence[Token]) -> frozenset[str]:
    """``{GIVEN}``, ``{NOT_GIVEN}``, both where the words do not decide, or nothing."""
    items = _bound(_united(_without_visits(_with_letters(tokens))))
    said = _affirmed_plainly(items) | _left_over(items)
    if not said and _in_unknown_script(items):
        said.add(DOUBT)
    return frozenset((GIVEN, NOT_GIVEN) if DOUBT in said else said)


def speaks_of_agent(tokens: Sequence[Token]) -> bool:
    """True when a contrast agent is named so plainly that a scan called after it alone is a T1 with contrast."""
    long = [
        token for token in tokens if token.sense is Sense.AGENT and (len(token.text) > 3 or not token.text.isascii())
    ]
    return bool(long) or any(token.text in ("gd", "gad") for token in tokens)


def _with_letters(tokens: Sequence[Token]) -> list[Token]:
    """Letters and signs that stand for contrast as what they stand for."""
    told: list[Token] = []
    for at, token in enumerate(tokens):
        beside = (*tokens[max(at - 1, 0) : at], *tokens[at + 1 : at + 2])
        called = token.text in _LETTERS and any(_calls(other) for other in beside)
        told.append(Token(token.text, Sense.AGENT) if called else token)
    return told


def _calls(token: Token) -> bool:
    return token.text in ("plus", "plusend", "plusminus", "minus", "dash") or token.sense in _CHOOSES


def _without_visits(tokens: Sequence[Token]) -> list[Token]:
    """Take out what words of time and of choice say of something other than contrast: post op, no fatsat, 术后."""
    left = [token for token in tokens if token.sense is not Sense.FILLER]
    kept: list[Token] = []
    while left:
        if len(left) > 1 and _of_something_else(left[0], left[1]):
            del left[:2]
        elif len(left) > 1 and left[0].sense is Sense.EVENT and left[1].sense is Sense.AFTER:
            left[:2] = [replace(left[1], late=True)]
        elif len(left) > 2 and left[0].sense is Sense.AFTER and left[2].sense is Sense.EVENT and _is_aside(left[1]):
            left[:3] = [replace(left[0], late=True)]
        else:
            kept.append(left.pop(0))
    return [token for token in kept if token.sense is not Sense.EVENT and token.text != "colon"]


def _is_aside(word: Token) -> bool:
    """True for what may stand between "post" and its event: 3 months, tumour resection, brain irradiation."""
    return word.sense in (Sense.NUMBER, Sense.BODY, Sense.EVENT) or word.text in ("tumor", "tumour", "lesion", "glioma")


def _of_something_else(first: Token, second: Token) -> bool:
    """True for a visit (post op; in languages that say it so, 术后) and for a choice of technique (no fatsat)."""
    visit = first.sense in _TIMES and second.sense is Sense.EVENT
    behind = first.sense is Sense.EVENT and second.sense in _TIMES and second.behind
    return visit or behind or (first.sense in _CHOOSES and second.sense in (Sense.FEATURE, Sense.EVENT))


def _united(tokens: Sequence[Token]) -> list[Token]:
    """Neighbours that speak of the agent as one: contrast agent, Gd DTPA, injection of gadolinium."""
    united: list[Token] = []
    for token in tokens:
        if united and token.sense in _AGENTS and united[-1].sense in _AGENTS:
            strong = next((one for one in (united[-1], token) if one.sense is not Sense.WEAK_AGENT), token)
            united[-1] = Token(strong.text, strong.sense, whole=united[-1].whole)
        else:
            united.append(token)
    return united


def _bound(tokens: Sequence[Token]) -> list[_Item]:
    """Each agent bound to the word that governs it: what follows its noun in its language first, then what precedes."""
    items: list[_Item] = list(tokens)
    for at in range(len(items) - 1):
        agent, word = items[at], items[at + 1]
        if _is_agent(agent) and isinstance(word, Token) and word.behind and (said := _governs(word)):
            items[at : at + 2] = [said, _GONE]
    for at in range(1, len(items)):
        word, agent = items[at - 1], items[at]
        if _is_agent(agent) and isinstance(word, Token) and (said := _governs(word)) and not _numbers(word, agent):
            items[at - 1 : at + 1] = [_GONE, said]
    for at in range(len(items) - 1):
        agent, word = items[at], items[at + 1]
        if not _is_agent(agent) or not isinstance(word, Token) or _numbers(word, agent):
            continue
        if (said := _governs(word)) and _ends(items[at + 2 :]):
            items[at : at + 2] = [DOUBT if word.text == "na" else said, _GONE]  # n/a, or Dutch for after
    return [item for item in items if item is not _GONE]


_GONE = Token("", Sense.FILLER)


def _is_agent(item: _Item) -> bool:
    return isinstance(item, Token) and item.sense in _AGENTS


def _governs(word: Token) -> str:
    """What a word says of the agent beside it; empty when it says nothing."""
    if word.text in (DOUBT, "plusminus", "dash", "zero"):
        return DOUBT
    if word.text == "zerodose":
        return NOT_GIVEN
    if word.text == "plusend" or word.sense in _AFFIRMS:
        return GIVEN
    return NOT_GIVEN if word.sense in _DENIES else ""


def _numbers(word: Token, agent: _Item) -> bool:
    """True for the 0 of t1ce_0, which counts files."""
    return word.text == "zero" and isinstance(agent, Token) and agent.whole


def _ends(items: Sequence[_Item]) -> bool:
    """False where an unknown word follows: in "Gd ohne Xyz" the negation is about that."""
    return not items or not isinstance(items[0], Token) or items[0].sense is not Sense.UNKNOWN


def _left_over(items: Sequence[_Item]) -> set[str]:
    """What words say that govern nothing: an agent, "nativ", "post", the "mit" of "mit und ohne KM"."""
    said: set[str] = set()
    for at, item in enumerate(items):
        if not isinstance(item, Token):
            continue
        rest = [other for other in items[at + 1 :] if not _joins(other)]
        if item.sense in (Sense.AGENT, Sense.ENHANCED):
            said.add(DOUBT if _is_hedged(items, at) else GIVEN)
        elif item.sense is Sense.AFTER:
            said.add(DOUBT if _is_of_a_visit(items, at) else GIVEN)
        elif item.sense in (Sense.NATIVE, Sense.BEFORE):
            said.add(NOT_GIVEN)
        elif _is_doubtful(item, items, at):
            said.add(DOUBT)
        elif item.text == "plusend" and at and _is_t1(items[at - 1]) and not _weighted(rest):
            said.add(GIVEN)
        elif item.sense in _CHOOSES and ((rest and isinstance(rest[0], str)) or _ends_t1(items[:at], item, rest)):
            said.add(GIVEN if item.sense in _AFFIRMS else NOT_GIVEN)
    return said


def _affirmed_plainly(items: Sequence[_Item]) -> set[str]:
    """What bound agents say; affirmed beside a word that denies, it is open: never with contrast."""
    said: set[str] = set()
    for at, item in enumerate(items):
        if isinstance(item, str):
            around = (*items[max(at - 1, 0) : at], *items[at + 1 : at + 2])
            denied = item == GIVEN and any(isinstance(other, Token) and _denies(other) for other in around)
            said.add(DOUBT if denied else item)
    return said


def _denies(word: Token) -> bool:
    """True for a word that denies, longer than the o and s that mean many things."""
    return (word.sense in _DENIES and (len(word.text) > 1 or not word.text.isascii())) or word.text == "zerodose"


def _is_hedged(items: Sequence[_Item], at: int) -> bool:
    """True where the words around an agent leave open whether it was given.

    Those are words that nobody knows beside it, one that denies before it, and what makes of "contrast" the look of a
    picture: low contrast, enhanced edges. ``t1ce`` is one word, and firm.
    """
    agent = items[at]
    if not isinstance(agent, Token) or agent.whole:
        return False
    letters = 1 + (at + 1 < len(items) and _is_letter(items[at + 1]))  # gado à faire
    before, behind = list(items[:at]), list(items[at + 1 : at + 1 + letters])
    since_t1 = before[max((i for i, item in enumerate(before) if _is_t1(item)), default=-1) + 1 :]
    within = since_t1 if len(since_t1) < len(before) else []
    if any(isinstance(item, Token) and _denies(item) for item in since_t1):
        return True
    if any(isinstance(item, Token) and (_denies(item) or item.text in _NO_LETTERS) for item in behind):
        return True
    beside = [item for item in (*since_t1[-1:], *behind) if isinstance(item, Token)]
    return any(map(_is_foreign, [item for item in (*within[-1:], *behind) if isinstance(item, Token)])) or any(
        _is_of_a_picture(agent, other) for other in beside
    )


def _is_letter(item: _Item) -> bool:
    return isinstance(item, Token) and item.sense is Sense.UNKNOWN and len(item.text) == 1


def _is_foreign(word: Token) -> bool:
    """True for a word that nobody knows; a single Latin letter may be anything, and decides nothing."""
    return word.sense is Sense.UNKNOWN and word.text not in SIGN_WORDS and (len(word.text) > 1 or _not_latin(word.text))


def _not_latin(text: str) -> bool:
    return any(sign.isalpha() and not sign.isascii() for sign in text)


_STEPS = {"denoised", "denoise", "denoising", "smooth", "smoothed", "smoothing", "filtered", "filt", "scaled", "hist"}
_STEPS |= {"norm", "normalized", "normalised", "normalize", "normalization", "normalisation", "histmatch", "matched"}
_STEPS |= {"corr", "corrected", "correction", "reduced", "single", "dual", "multi"}
_GENERIC = re.compile(r".*[ck]ontra|^(?:ce|enh)|.*nhanc|realce|rehausse|verst")


def _is_of_a_picture(agent: Token, beside: Token) -> bool:
    """True for low contrast, MT contrast, contrast normalised, and for an image that is enhanced."""
    if agent.sense is not Sense.ENHANCED and not _GENERIC.match(agent.text):
        return False
    if beside.sense is Sense.PICTURE or beside.text in ("mt", "mtc", "image", "img", "images", *_STEPS):
        return True
    return agent.sense is Sense.ENHANCED and beside.sense is Sense.VERSION


_VISIT_NUMBER = re.compile(r"(?:v|tp|time|exam|visit|scan|ses|wk|week|mo|month|m|d|day|y)\d+")
_AS_SCANNED = {"norm off", "norm on", "processed", "nii", "nd", "dis2d", "dis3d", "adni"}


def _is_of_a_visit(items: Sequence[_Item], at: int) -> bool:
    """True where "post" may be after something else than contrast: post cycle 3, post bet, visit post."""
    after = items[at]
    if not isinstance(after, Token) or after.whole:
        return False
    if after.late:
        return True
    before, behind = items[:at], [item for item in items[at + 1 :] if isinstance(item, Token)]
    last = before[-1] if any(map(_is_t1, before)) else None
    if isinstance(last, Token) and (_is_foreign(last) or _VISIT_NUMBER.fullmatch(last.text)):
        return True
    if not behind:
        return False
    first, following = behind[0], behind[1:2]
    if first.sense is Sense.NUMBER:
        plain = first.text.isdigit() or re.fullmatch(r"\d+mm", first.text) is not None
        return not plain or any(map(_is_foreign, following))
    step = first.sense in (Sense.VERSION, Sense.PICTURE) and first.text not in _AS_SCANNED
    return step or (first.sense is Sense.UNKNOWN and first.text not in SIGN_WORDS)


def _in_unknown_script(items: Sequence[_Item]) -> bool:
    """True where words of another script that nobody knows follow the T1: they may say what was given."""
    first = next((at for at, item in enumerate(items) if _is_t1(item)), len(items))
    return any(isinstance(item, Token) and _is_foreign(item) and _not_latin(item.text) for item in items[first + 1 :])


def _is_doubtful(item: Token, items: Sequence[_Item], at: int) -> bool:
    """True for the sign of T1±, for T1plus, and for T1 iv, which may mean with or before it."""
    if item.text == "plusminus":
        return _t1_beside(items, at)
    plus = item.text == "plus" and at + 1 == len(items)
    return (plus or item.sense is Sense.WEAK_AGENT) and at > 0 and _is_t1(items[at - 1])


def _joins(item: _Item) -> bool:
    return isinstance(item, Token) and (item.sense is Sense.AND or item.text in ("plus", "plusend"))


def _ends_t1(before: Sequence[_Item], item: Token, rest: Sequence[_Item]) -> bool:
    """True for a strong "ohne" behind a T1 with nothing unknown behind it: T1_ohne, T1 without ax."""
    plain = {Sense.NUMBER, Sense.PLANE, Sense.TECHNIQUE, Sense.BODY, Sense.VERSION, Sense.PICTURE}
    strong = item.sense in (Sense.WITH, Sense.WITHOUT) and item.text != "plus"
    return (
        strong and any(map(_is_t1, before)) and all(isinstance(other, Token) and other.sense in plain for other in rest)
    )


def _is_t1(item: _Item) -> bool:
    return isinstance(item, Token) and item.sense in _T1


def _t1_beside(items: Sequence[_Item], at: int) -> bool:
    return any(_is_t1(other) for other in (*items[max(at - 1, 0) : at], *items[at + 1 : at + 2]))


def _weighted(rest: Sequence[_Item]) -> bool:
    """True where another weighting follows: the plus of T1+T2 joins."""
    weightings = {Sense.T1, Sense.T2, Sense.FLAIR}
    return bool(rest) and isinstance(rest[0], Token) and rest[0].sense in weightings
