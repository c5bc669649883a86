"""The four MRI modalities of brain-tumour imaging, and how file names and sidecars speak of them.

Names are read word by word. The most specific word wins: ``t1ce`` over ``t1``, ``flair`` over ``t2``. Words that say
something else (what a scan was registered to, that it is "without contrast", that it was taken before an operation)
are taken out first. What stays open is left open: ``candidates`` then holds more than one modality.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from enum import StrEnum


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

_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_STAR = re.compile(r"(?<=t2)(w?)[\W_]*\*", re.IGNORECASE)
_ENTITY = re.compile(r"(?:^|(?<=_))space-[^_]*", re.IGNORECASE)  # BIDS: what it was resampled to
_PLUS_C = re.compile(r"(?<=t1)(w?)[\W_]*\+[\W_]*(?:c|ce|gd|gad|k|km)(?![a-z])", re.IGNORECASE)

# Phrases, over lower-case words joined by "_". What a scan was registered to is not what it is.
_SCAN = r"(?:flair|t[12](?!\d))[a-z]*"
_TOWARDS = (
    re.compile(rf"(?P<self>(?:flair|t[12])[a-z]*?)(?:_?to_?|2){_SCAN}"),
    re.compile(rf"(?<![a-z])(?:(?:co)?reg(?:istered)?_?|warped_?|aligned_?|resampled_?)?(?:to|on)_?{_SCAN}"),
    re.compile(rf"(?<![a-z])in_?{_SCAN}_space"),
)
_TIME = re.compile(
    r"(?<![a-z])(?:pre|post)_?(?:op|operative|surgery|surgical|treatment|therapy|rt|radiation|chemo|process(?:ed|ing)?)"
    r"(?![a-z])"
)
_WITHOUT = re.compile(
    r"(?<![a-z])(?:without|w_o|wo|no|non|pre|minus)_?(?:contrast|gadolinium|gado?|gd|ce|km|cm|c)(?![a-z])"
)

# Words.
_FLAIR = re.compile(r"\w*flair\w*|fla|flr|tirm\w*|t2f")
_DARK_FLUID = re.compile(r"(?<![a-z])(?:t2_)?dark_?fluid(?![a-z])")
_T1C = re.compile(r"t1(?:w|wi)?(?:c|ce|cm|km|k|gd|gad[a-z]*|post[a-z]*|contrast[a-z]*|enh[a-z]*)\d*|ce?t1(?:w|wi)?")
_T1N = re.compile(r"t1(?:w|wi)?(?:n|pre[a-z]*|nativ[a-z]*|plain|nc)\d*")
_T1 = re.compile(r"t1(?!\d)[a-z0-9]*")
_T2 = re.compile(r"t2(?!\d)[a-z0-9]*")
_T1_SEQUENCE = re.compile(r"mp2?rage|mpr|f?spgr|bravo")
_POST = re.compile(r"post(?:con|contrast|gd|gad|km)?[a-z]*|gd|gad[a-z]*|contrast[a-z]*|ce|ceagent|km|enhanced|dotarem")
_POST_ALONE = re.compile(r"postcon[a-z]*|gd|gad|gado[a-z]*|contrast")
_PRE = re.compile(r"pre|precon[a-z]*|nativ[a-z]?|plain|unenhanced")
_OTHER = re.compile(
    r"t2(?:star|s|gre|map|mapping)|star|t1(?:rho|map|mapping)|adc|dwi|dti|swi|swan|asl|dsc|dce|perf(?:usion)?|bold|fmri"
    r"|cbv|cbf|rcbv|localizer|scout|survey"
)
_NO_AGENT = {"", "none", "no", "n/a", "na", "0", "false"}


def words(name: str) -> list[str]:
    """The lower-case words of a file stem or folder name, split on non-alphanumerics and camel case."""
    return [word.lower() for part in re.split(r"[\W_]+", name) for word in _CAMEL.split(part) if word]


def candidates(name: str) -> set[Modality]:
    """Every modality that a file stem may claim: empty when it says nothing, several when it does not decide."""
    text = "_".join(words(_STAR.sub("star_", _PLUS_C.sub(r"\1ce_", _ENTITY.sub("", name)))))
    for phrase in _TOWARDS:
        text = phrase.sub(lambda match: f"{match.groupdict().get('self') or ''}_", text)
    text = _DARK_FLUID.sub("flair", text)
    text = _TIME.sub("_", text)
    text = _WITHOUT.sub("_plain_", text)
    found = [word for word in text.split("_") if word]
    if any(_OTHER.fullmatch(word) for word in found):
        return set()
    claimed: set[Modality] = set()
    if _any(_FLAIR, found):
        claimed.add(Modality.FLAIR)
    elif _any(_T2, found):
        claimed.add(Modality.T2W)
    return claimed | _t1_claims(found, alone=not claimed)


def modality_of(name: str) -> Modality | None:
    """The one modality that a file stem names, or None when it names none or more than one."""
    claimed = candidates(name)
    return claimed.pop() if len(claimed) == 1 else None


def candidates_from_sidecar(facts: Mapping[str, object]) -> set[Modality]:
    """Every modality that fits a BIDS or dcm2niix sidecar: contrast agent, echo and inversion time, description.

    Times are in seconds as BIDS has them; values above what seconds can be are taken as ms. Empty when it says nothing.
    """
    echo, inversion = _seconds(facts.get("EchoTime"), 1.0), _seconds(facts.get("InversionTime"), 20.0)
    given = str(facts.get("ContrastBolusAgent", "")).strip().lower() not in _NO_AGENT
    described = candidates(f"{facts.get('SeriesDescription', '')} {facts.get('ProtocolName', '')}")
    t1 = Modality.T1C if given else Modality.T1N
    if described:
        return {t1 if given and claim is Modality.T1N else claim for claim in described}
    if echo is None:
        return set()
    if echo < 0.03:
        return {t1}
    return {Modality.FLAIR if inversion is not None and inversion > 1.5 else Modality.T2W} if echo > 0.06 else set()


def _t1_claims(found: list[str], alone: bool) -> set[Modality]:
    named_post = _any(_T1C, found) or _separate_c(found)
    named_pre = _any(_T1N, found)
    post, pre = _any(_POST, found), _any(_PRE, found)
    if not (named_post or named_pre or _any(_T1, found) or (alone and _any(_T1_SEQUENCE, found))):
        return {Modality.T1C} if alone and _any(_POST_ALONE, found) and not pre else set()
    claimed = set()
    if named_post or post:
        claimed.add(Modality.T1C)
    if named_pre or pre or not claimed:
        claimed.add(Modality.T1N)
    return claimed


def _separate_c(found: list[str]) -> bool:
    return any(_T1.fullmatch(first) and second == "c" for first, second in itertools.pairwise(found))


def _any(pattern: re.Pattern[str], found: list[str]) -> bool:
    return any(pattern.fullmatch(word) for word in found)


def _seconds(value: object, longest: float) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        return None
    return float(value) if value <= longest else float(value) / 1000.0
