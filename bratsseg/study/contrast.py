"""What the words of a name say of contrast agent: given, not given, both, or nothing.

Negation and "before" bind before affirmation: ``T1 ohne KM``, ``kontrast öncesi`` and ``contrast_none`` deny what KM,
kontrast and contrast alone would affirm. Visits are taken out first: ``post op`` says nothing of contrast. What stays
said both ways is left open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bratsseg.study.glued import DOUBT
from bratsseg.study.hedging import DENYING, Item, denies, in_unknown_script, is_hedged, is_of_a_visit, is_t1
from bratsseg.study.tokens import Token
from bratsseg.study.words import Sense

GIVEN, NOT_GIVEN = "with contrast", "without contrast"

_AGENTS = {Sense.AGENT, Sense.WEAK_AGENT, Sense.ENHANCED}
_AFFIRMS = {Sense.WITH, Sense.WEAK_WITH, Sense.AFTER, Sense.WEAK_AFTER}
_TIMES = {Sense.BEFORE, Sense.WEAK_BEFORE, Sense.AFTER, Sense.WEAK_AFTER}
_CHOOSES = {Sense.WITH, Sense.WEAK_WITH, Sense.WITHOUT, Sense.WEAK_WITHOUT}
GOVERNING = frozenset({*DENYING, *_AFFIRMS})
"""The senses of words that affirm or deny the agent beside them."""
ABOUT_CONTRAST = frozenset({*_AGENTS, *DENYING, *_AFFIRMS, Sense.NATIVE, Sense.AND, Sense.FILLER})
"""The senses of words that speak of contrast, and of those that join them."""
_LETTERS = {"c", "k"}  # contrast, but only beside a sign: C+, w/o C


def said_of_contrast(tokens: Sequence[Token]) -> frozenset[str]:
    """``{GIVEN}``, ``{NOT_GIVEN}``, both where the words do not decide, or nothing."""
    items = _bound(_united(_without_visits(_with_letters(tokens))))
    said = _affirmed_plainly(items) | _left_over(items)
    if not said and in_unknown_script(items):
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
    return visit or behind or (first.sense in _CHOOSES and second.sense is Sense.FEATURE)


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


def _bound(tokens: Sequence[Token]) -> list[Item]:
    """Each agent bound to the word that governs it: what follows its noun in its language first, then what precedes."""
    items: list[Item] = list(tokens)
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


def _is_agent(item: Item) -> bool:
    return isinstance(item, Token) and item.sense in _AGENTS


def _governs(word: Token) -> str:
    """What a word says of the agent beside it; empty when it says nothing."""
    if word.text in (DOUBT, "plusminus", "dash", "zero"):
        return DOUBT
    if word.text == "zerodose":
        return NOT_GIVEN
    if word.text == "plusend" or word.sense in _AFFIRMS:
        return GIVEN
    return NOT_GIVEN if word.sense in DENYING else ""


def _numbers(word: Token, agent: Item) -> bool:
    """True for the 0 of t1ce_0, which counts files."""
    return word.text == "zero" and isinstance(agent, Token) and agent.whole


def _ends(items: Sequence[Item]) -> bool:
    """False where an unknown word follows: in "Gd ohne Xyz" the negation is about that."""
    return not items or not isinstance(items[0], Token) or items[0].sense is not Sense.UNKNOWN


def _left_over(items: Sequence[Item]) -> set[str]:
    """What words say that govern nothing: an agent, "nativ", "post", the "mit" of "mit und ohne KM"."""
    said: set[str] = set()
    for at, item in enumerate(items):
        if not isinstance(item, Token):
            continue
        rest = [other for other in items[at + 1 :] if not _joins(other)]
        if item.sense in (Sense.AGENT, Sense.ENHANCED):
            said.add(DOUBT if is_hedged(items, at) else GIVEN)
        elif item.sense is Sense.AFTER:
            said.add(DOUBT if is_of_a_visit(items, at) else GIVEN)
        elif item.sense in (Sense.NATIVE, Sense.BEFORE):
            said.add(NOT_GIVEN)
        elif _is_doubtful(item, items, at):
            said.add(DOUBT)
        elif item.text == "plusend" and at and is_t1(items[at - 1]) and not _weighted(rest):
            said.add(GIVEN)
        elif item.sense in _CHOOSES and ((rest and isinstance(rest[0], str)) or _ends_t1(items[:at], item, rest)):
            said.add(GIVEN if item.sense in _AFFIRMS else NOT_GIVEN)
    return said


def _affirmed_plainly(items: Sequence[Item]) -> set[str]:
    """What bound agents say; affirmed beside a word that denies, it is open: never with contrast."""
    said: set[str] = set()
    for at, item in enumerate(items):
        if isinstance(item, str):
            around = (*items[max(at - 1, 0) : at], *items[at + 1 : at + 2])
            denied = item == GIVEN and any(isinstance(other, Token) and denies(other) for other in around)
            said.add(DOUBT if denied else item)
    return said


def _is_doubtful(item: Token, items: Sequence[Item], at: int) -> bool:
    """True for the sign of T1±, for T1plus, and for T1 iv, which may mean with or before it."""
    if item.text == "plusminus":
        return _t1_beside(items, at)
    plus = item.text == "plus" and at + 1 == len(items)
    return (plus or item.sense is Sense.WEAK_AGENT) and at > 0 and is_t1(items[at - 1])


def _joins(item: Item) -> bool:
    return isinstance(item, Token) and (item.sense is Sense.AND or item.text in ("plus", "plusend"))


def _ends_t1(before: Sequence[Item], item: Token, rest: Sequence[Item]) -> bool:
    """True for a strong "ohne" behind a T1 with nothing unknown behind it: T1_ohne, T1 without ax."""
    plain = {Sense.NUMBER, Sense.PLANE, Sense.TECHNIQUE, Sense.BODY, Sense.VERSION, Sense.PICTURE}
    strong = item.sense in (Sense.WITH, Sense.WITHOUT) and item.text != "plus"
    return (
        strong and any(map(is_t1, before)) and all(isinstance(other, Token) and other.sense in plain for other in rest)
    )


def _t1_beside(items: Sequence[Item], at: int) -> bool:
    return any(is_t1(other) for other in (*items[max(at - 1, 0) : at], *items[at + 1 : at + 2]))


def _weighted(rest: Sequence[Item]) -> bool:
    """True where another weighting follows: the plus of T1+T2 joins."""
    weightings = {Sense.T1, Sense.T2, Sense.FLAIR}
    return bool(rest) and isinstance(rest[0], Token) and rest[0].sense in weightings
