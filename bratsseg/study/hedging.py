"""Where the words around a contrast agent, or around a "post", leave open what was given."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bratsseg.study.glued import SIGN_WORDS
from bratsseg.study.tokens import Token
from bratsseg.study.words import Sense

Item = Token | str
"""A word that is still to be read, or what was said of contrast already."""
DENYING = frozenset({Sense.WITHOUT, Sense.WEAK_WITHOUT, Sense.BEFORE, Sense.WEAK_BEFORE})
"""The senses of words that deny."""
_T1 = {Sense.T1, Sense.T1_SEQUENCE}
_NO_LETTERS = {"n", "f"}  # no, false: contrast_N


def is_t1(item: Item) -> bool:
    """True for a word that says T1."""
    return isinstance(item, Token) and item.sense in _T1


def denies(word: Token) -> bool:
    """True for a word that denies, longer than the o and s that mean many things."""
    return (word.sense in DENYING and (len(word.text) > 1 or not word.text.isascii())) or word.text == "zerodose"


def is_hedged(items: Sequence[Item], at: int) -> bool:
    """True where the words around an agent leave open whether it was given.

    Those are words that nobody knows beside it, one that denies before it, and what makes of "contrast" the look of a
    picture: low contrast, enhanced edges. ``t1ce`` is one word, and firm.
    """
    agent = items[at]
    if not isinstance(agent, Token) or agent.whole:
        return False
    letters = 1 + (at + 1 < len(items) and _is_letter(items[at + 1]))  # gado à faire
    before, behind = list(items[:at]), list(items[at + 1 : at + 1 + letters])
    since_t1 = before[max((i for i, item in enumerate(before) if is_t1(item)), default=-1) + 1 :]
    within = since_t1 if len(since_t1) < len(before) else []
    if any(isinstance(item, Token) and denies(item) for item in since_t1):
        return True
    if any(isinstance(item, Token) and (denies(item) or item.text in _NO_LETTERS) for item in behind):
        return True
    beside = [item for item in (*since_t1[-1:], *behind) if isinstance(item, Token)]
    return any(map(_is_foreign, [item for item in (*within[-1:], *behind) if isinstance(item, Token)])) or any(
        _is_of_a_picture(agent, other) for other in beside
    )


def _is_letter(item: Item) -> bool:
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


def is_of_a_visit(items: Sequence[Item], at: int) -> bool:
    """True where "post" may be after something else than contrast: post cycle 3, post bet, visit post."""
    after = items[at]
    if not isinstance(after, Token) or after.whole:
        return False
    if after.late:
        return True
    before, behind = items[:at], [item for item in items[at + 1 :] if isinstance(item, Token)]
    last = before[-1] if any(map(is_t1, before)) else None
    if isinstance(last, Token) and (_is_foreign(last) or denies(last) or _VISIT_NUMBER.fullmatch(last.text)):
        return True
    if not behind:
        return False
    first, following = behind[0], behind[1:2]
    if first.sense is Sense.NUMBER:
        plain = first.text.isdigit() or re.fullmatch(r"\d+mm", first.text) is not None
        return not plain or any(map(_is_foreign, following))
    step = first.sense in (Sense.VERSION, Sense.PICTURE) and first.text not in _AS_SCANNED
    return step or (first.sense is Sense.UNKNOWN and first.text not in SIGN_WORDS)


def in_unknown_script(items: Sequence[Item]) -> bool:
    """True where words of another script that nobody knows follow the T1: they may say what was given."""
    first = next((at for at, item in enumerate(items) if is_t1(item)), len(items))
    return any(isinstance(item, Token) and _is_foreign(item) and _not_latin(item.text) for item in items[first + 1 :])
