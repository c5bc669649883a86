"""The JSON sidecar of BIDS or dcm2niix beside a scan, as a second witness of what the scan is.

A sidecar says only what stands in it. That no ``ContrastBolusAgent`` is there proves nothing: many scanners do not
record it. Times tell T1 from T2 and FLAIR, never T1 from T1ce.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bratsseg.study.contrast import GIVEN, NOT_GIVEN
from bratsseg.study.modality import Modality, NameReading, read_name
from bratsseg.study.tokens import tokens_of
from bratsseg.study.words import Sense

_T1 = frozenset({Modality.T1N, Modality.T1C})
_NOTHING = {"", "n/a", "na", "n.a.", "n.a", "?", "-", "--", ".", "unknown", "null", "nan", "not applicable", "tbd"}
_NOTHING |= {"not specified", "unspecified", "not recorded", "not known", "undefined", "nicht bekannt", "unbekannt"}
_DENIED = {"n", "nao", "não", "keins", "0", "0.0", "false", "none given", "nothing", "water", "air"}
_DENIES = {Sense.WITHOUT, Sense.WEAK_WITHOUT, Sense.NATIVE}
_DERIVED = {"SUBTRACT", "SUBTRACTION", "SUB", "MIP", "MINIP", "ADC", "PROJECTION IMAGE"}
_AGENT_ENTRIES = ("ContrastBolusAgent", "ContrastBolusIngredient")
_DOSES = ("ContrastBolusVolume", "ContrastBolusTotalDose")
# Seconds. Spin echo and gradient echo T1 lie below, T2 and FLAIR above; between them is proton density.
_SHORT_ECHO, _LONG_ECHO, _LONG_INVERSION = 0.03, 0.06, 1.5


@dataclass(frozen=True)
class Witness:
    """What a sidecar says: ``claims`` every modality that it allows (empty: it does not say), and of ``contrast``.

    ``contrast`` is as in names; it holds both where entries contradict each other.

    ``told`` are the entries that say it, as a user finds them. ``other`` is True when they name none of the four.
    """

    claims: frozenset[Modality] = frozenset()
    contrast: frozenset[str] = frozenset()
    told: str = ""
    other: bool = False

    def contradicts(self, name: NameReading) -> bool:
        """True when name and sidecar cannot both be right: a T1 beside a stated agent, or a sidecar that says both."""
        if self.other or (self.claims and name.claims and self.claims.isdisjoint(name.claims | _same_weighting(name))):
            return bool(name.claims)
        if not name.is_t1 or len(name.claims) > 1 or not self.contrast:
            return False
        if len(self.contrast) > 1:
            return True
        return (self.contrast == {GIVEN}) != (Modality.T1C in name.claims)


def witness_of(facts: Mapping[str, object]) -> Witness:
    """What the entries of a sidecar say. Times are in seconds as BIDS has them, or ms where they are too large."""
    described = _descriptions(facts)
    first = next(iter(described.values()), NameReading(frozenset(), frozenset(), ()))
    if first.other or not _DERIVED.isdisjoint(_listed(facts.get("ImageType"))):
        return Witness(other=True, told=next(iter(described), "") or f"ImageType {facts.get('ImageType')}")
    t1s = {entry: reading.contrast for entry, reading in described.items() if reading.is_t1}
    sure = {entry: said for entry, said in (*t1s.items(), *_agents(facts).items()) if len(said) == 1}
    contrast = frozenset[str]().union(*sure.values())
    claims, times = (first.claims, "") if first.claims else _by_times(facts)
    if claims & _T1 and not (first.claims == _T1 and not contrast):
        claims = (claims - _T1) | _t1_claims(contrast, stated=bool(first.claims))
    told = dict.fromkeys([*list(described)[: 1 if first.claims else 0], *sure, *([times] if times else [])])
    return Witness(claims, contrast, ", ".join(told))


def _same_weighting(name: NameReading) -> frozenset[Modality]:
    """Of T1 and T1ce the contrast decides, not the weighting."""
    return _T1 if name.is_t1 else frozenset()


def _agents(facts: Mapping[str, object]) -> dict[str, frozenset[str]]:
    """What the entries on contrast agent say, by entry as a user finds it; with a dose of 0 they say nothing."""
    doses = [dose for entry in _DOSES if (dose := _number(facts.get(entry))) is not None]
    if doses and not any(doses):
        return {}
    said = {f"{entry} {facts.get(entry)!r}": _agent(facts.get(entry)) for entry in _AGENT_ENTRIES}
    said = {entry: contrast for entry, contrast in said.items() if contrast}
    if doses and not said:
        entry = next(entry for entry in _DOSES if _number(facts.get(entry)))
        return {f"{entry} {facts.get(entry)!r}": frozenset({GIVEN})}
    return said


def _agent(value: object) -> frozenset[str]:
    """What one entry says, or a list of them; nothing where it is no text, or both denies and names an agent."""
    if isinstance(value, list):
        said = frozenset[str]().union(*map(_agent, value))
        return said if len(said) < 2 else frozenset()
    text = " ".join(str(value if value is not None else "").strip().lower().split())
    if text in _NOTHING or isinstance(value, dict):
        return frozenset()
    senses = {token.sense for token in tokens_of(text)}
    if text in _DENIED or read_name(f"T1 {text}").contrast == {NOT_GIVEN}:
        return frozenset({NOT_GIVEN})
    if senses & _DENIES or re.fullmatch(r"0+([.,]0+)?\s*[a-z]*", text):
        return frozenset() if Sense.AGENT in senses else frozenset({NOT_GIVEN})
    return frozenset({GIVEN})


def _descriptions(facts: Mapping[str, object]) -> dict[str, NameReading]:
    """The descriptions that say which modality, by entry as a user finds it, and what they say."""
    texts = [(key, str(facts.get(key) or "")) for key in ("SeriesDescription", "ProtocolName")]
    read = {f"{key} {text!r}": read_name(text) for key, text in texts}
    return {entry: reading for entry, reading in read.items() if reading.claims or reading.other}


def _number(value: object) -> float | None:
    """A number that is written as one, as text or with its unit; None for anything else."""
    if isinstance(value, list) and len(value) == 1:
        return _number(value[0])
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    match = re.fullmatch(r"(\d{1,9}(?:[.,]\d*)?)\s*[a-z/]*", str(value).strip().lower(), re.ASCII)
    return float(match[1].replace(",", ".")) if match else None


def _by_times(facts: Mapping[str, object]) -> tuple[frozenset[Modality], str]:
    """What echo and inversion time allow, and how the file says it."""
    echo, inversion = _seconds(facts.get("EchoTime"), 1.0), _seconds(facts.get("InversionTime"), 20.0)
    if echo is None:
        return frozenset(), ""
    told = f"EchoTime {echo:g} s" + (f", InversionTime {inversion:g} s" if inversion is not None else "")
    if echo < _SHORT_ECHO:
        return _T1, told
    if echo <= _LONG_ECHO:
        return frozenset(), ""
    if inversion is not None:
        return (frozenset({Modality.FLAIR}), told) if inversion > _LONG_INVERSION else (frozenset(), "")
    sequence = _listed(facts.get("ScanningSequence"))
    spin_echo = "SE" in sequence and "IR" not in sequence
    return frozenset({Modality.T2W} if spin_echo else {Modality.T2W, Modality.FLAIR}), told


def _t1_claims(contrast: frozenset[str], stated: bool) -> frozenset[Modality]:
    """``stated``: a description says T1, which is read as names are; times alone leave the contrast open."""
    said = {Modality.T1C} if GIVEN in contrast else set()
    said |= {Modality.T1N} if NOT_GIVEN in contrast or (stated and not contrast) else set()
    return frozenset(said) or _T1


def _listed(value: object) -> set[str]:
    """The parts of a multi-valued entry: a list, or one text with \\\\, _ or / between."""
    text = "\\".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return {part.strip().upper() for part in text.replace("/", "\\").replace("_", "\\").split("\\")}


def _seconds(value: object, longest: float) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        return None
    return float(value) if value <= longest else float(value) / 1000.0
