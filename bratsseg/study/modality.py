"""The four MRI modalities of brain-tumour imaging, and how file names speak of them.

Names are read word by word, by the table of ``words``; ``contrast`` says how an agent is affirmed or denied. The most
specific word wins: ``t1ce`` over ``t1``, ``flair`` over ``t2``; a "T1 FLAIR" is a T1. What stays open is left open:
``candidates`` then holds more than one modality.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bratsseg.study.contrast import ABOUT_CONTRAST, GIVEN, NOT_GIVEN, said_of_contrast, speaks_of_agent
from bratsseg.study.glued import SIGN_WORDS, words
from bratsseg.study.tokens import Token, tokens_of
from bratsseg.study.words import Sense

__all__ = ["Modality", "NameReading", "candidates", "modality_of", "read_name", "words"]


class Modality(StrEnum):
    """One MRI contrast; the member order is the channel order of every array in bratsseg."""

    FLAIR = "flair"
    T1N = "t1n"
    T1C = "t1c"
    T2W = "t2w"

    @property
    def label(self) -> str:
        """The name that a radiologist reads."""
        return _LABELS[self]


_LABELS = {Modality.FLAIR: "FLAIR", Modality.T1N: "T1", Modality.T1C: "T1ce", Modality.T2W: "T2"}


@dataclass(frozen=True)
class NameReading:
    """What a name says: every modality it may claim, what it says of contrast, and its words that nobody knows.

    ``contrast`` holds ``GIVEN``, ``NOT_GIVEN``, both where the name does not decide, or nothing.
    """

    claims: frozenset[Modality]
    contrast: frozenset[str]
    unknown: tuple[str, ...]
    other: bool = False
    """It names what is none of the four: a map, a projection, another weighting."""
    hedged: tuple[str, ...] = ()
    """The words that leave the contrast of a T1 open."""
    behind: tuple[str, ...] = ()
    """The unknown words behind its T1, where it says nothing of contrast: they may say it nevertheless."""

    @property
    def is_t1(self) -> bool:
        """True when the name speaks of a T1, with contrast or without."""
        return not self.claims.isdisjoint({Modality.T1N, Modality.T1C})


_UNKNOWN = {Sense.UNKNOWN, Sense.NUMBER}
_SPELT = {"zero": "0", "dash": "-"}
"""How signs that became words are shown."""
_HEDGING = (ABOUT_CONTRAST - {Sense.FILLER, Sense.AND}) | {Sense.UNKNOWN, Sense.EVENT, Sense.PICTURE, Sense.VERSION}
_WEAK = {Sense.WEAK_AGENT, Sense.WEAK_WITH, Sense.WEAK_WITHOUT, Sense.WEAK_BEFORE, Sense.WEAK_AFTER}


def read_name(name: str, silent: Collection[str] = ()) -> NameReading:
    """What a file stem or a description says; ``silent`` words of it say nothing, such as a patient's initials."""
    return _read(name, frozenset(silent))


@lru_cache(maxsize=1 << 15)  # a folder's names are asked again and again, part by part
def _read(name: str, silent: frozenset[str]) -> NameReading:
    tokens = tokens_of(name, silent)
    contrast = said_of_contrast(tokens)
    unknown = tuple(
        token.text for token in tokens if token.sense in _UNKNOWN or (token.sense in _WEAK and not contrast)
    )
    other = any(token.sense is Sense.OTHER for token in tokens)
    claims = frozenset[Modality]() if other else frozenset(_claims(tokens, contrast))
    return NameReading(claims, contrast, unknown, other, _hedged(tokens, contrast), _behind(tokens, contrast))


def _hedged(tokens: Sequence[Token], contrast: frozenset[str]) -> tuple[str, ...]:
    if len(contrast) < 2:
        return ()
    spelt = [_SPELT.get(token.text, token.text) for token in tokens if token.sense in _HEDGING]
    return tuple(text for text in spelt if text not in SIGN_WORDS)


def _behind(tokens: Sequence[Token], contrast: frozenset[str]) -> tuple[str, ...]:
    if contrast:
        return ()
    first = next((at for at, token in enumerate(tokens) if token.sense in (Sense.T1, Sense.T1_SEQUENCE)), len(tokens))
    found = [token for token in tokens[first + 1 :] if token.sense in {Sense.UNKNOWN, *_WEAK}]
    return tuple(token.text for token in found if token.text not in SIGN_WORDS and token.text.isalpha())


def candidates(name: str, silent: Collection[str] = ()) -> set[Modality]:
    """Every modality that a file stem may claim: empty when it says nothing, several when it does not decide."""
    return set(read_name(name, silent).claims)


def modality_of(name: str) -> Modality | None:
    """The one modality that a file stem names, or None when it names none or more than one."""
    claimed = candidates(name)
    return claimed.pop() if len(claimed) == 1 else None


def _claims(tokens: Sequence[Token], contrast: frozenset[str]) -> set[Modality]:
    senses = [token.sense for token in tokens]
    claimed = _weighting(senses)
    if Sense.T1 in senses or (not claimed and Sense.T1_SEQUENCE in senses):
        return claimed | _t1(contrast)
    alone = not claimed and not {Sense.ELSEWHERE, Sense.BODY}.intersection(senses) and speaks_of_agent(tokens)
    return {Modality.T1C} if alone and contrast == {GIVEN} else claimed


def _weighting(senses: Sequence[Sense]) -> set[Modality]:
    """FLAIR or T2, but for the FLAIR of "T1 FLAIR", which is a T1."""
    if Sense.FLAIR in senses:
        t1_first = Sense.T1 in senses[: senses.index(Sense.FLAIR)] and Sense.T2 not in senses
        return set() if t1_first else {Modality.FLAIR}
    return {Modality.T2W} if Sense.T2 in senses else set()


def _t1(contrast: frozenset[str]) -> set[Modality]:
    """A T1 of which nothing is said is one without contrast."""
    claimed = {Modality.T1C} if GIVEN in contrast else set()
    return claimed | {Modality.T1N} if NOT_GIVEN in contrast or not claimed else claimed
