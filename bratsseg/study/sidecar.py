"""The JSON sidecar of BIDS or dcm2niix beside a scan, as a second witness of what the scan is.

A sidecar says only what stands in it. That no ``ContrastBolusAgent`` is there proves nothing: many scanners do not
record it. Times tell T1 from T2 and FLAIR, never T1 from T1ce.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bratsseg.study.contrast import GIVEN, NOT_GIVEN
from bratsseg.study.modality import Modality, NameReading, read_name

_T1 = frozenset({Modality.T1N, Modality.T1C})
_NOTHING = {"", "n/a", "na", "?", "unknown"}
_DENIED = {
    "none",
    "no",
    "n",
    "nil",
    "nein",
    "non",
    "nao",
    "não",
    "keins",
    "0 ml",
    "0ml",
    "0",
    "false",
    "ohne",
    "kein",
    "keine",
    "sin",
    "sans",
    "senza",
    "sem",
    "without",
    "no contrast",
}
_DERIVED = {"SUBTRACT", "SUBTRACTION", "MIP", "MINIP", "ADC", "PROJECTION IMAGE"}
# Seconds. Spin echo and gradient echo T1 lie below, T2 and FLAIR above; between them is proton density.
_SHORT_ECHO, _LONG_ECHO, _LONG_INVERSION = 0.03, 0.06, 1.5


@dataclass(frozen=True)
class Witness:
    """What a sidecar says: ``claims`` every modality that it allows (empty: it does not say), ``contrast`` as in names.

    ``told`` are the entries that say it, as a user finds them. ``other`` is True when they name none of the four.
    """

    claims: frozenset[Modality] = frozenset()
    contrast: frozenset[str] = frozenset()
    told: str = ""
    other: bool = False

    def contradicts(self, name: NameReading) -> bool:
        """True when name and sidecar cannot both be right; a T1 beside a stated contrast agent is such a pair."""
        if self.other or (self.claims and name.claims and self.claims.isdisjoint(name.claims | _same_weighting(name))):
            return bool(name.claims)
        if not name.is_t1 or len(name.claims) > 1 or len(self.contrast) != 1:
            return False
        return (self.contrast == {GIVEN}) != (Modality.T1C in name.claims)


def witness_of(facts: Mapping[str, object]) -> Witness:
    """What the entries of a sidecar say. Times are in seconds as BIDS has them, or ms where they are too large."""
    agent = _agent(facts.get("ContrastBolusAgent"))
    entry, described = _description(facts)
    contrast = agent | described.contrast
    if described.other or not _DERIVED.isdisjoint(_listed(facts.get("ImageType"))):
        return Witness(other=True, told=entry or f"ImageType {facts.get('ImageType')}")
    claims, times = (described.claims, "") if described.claims else _by_times(facts)
    if claims & _T1:
        claims = (claims - _T1) | _t1_claims(contrast, stated=bool(described.claims))
    told = [entry] if described.claims or described.contrast else []
    told += [f"ContrastBolusAgent {facts.get('ContrastBolusAgent')!r}"] if agent else []
    return Witness(frozenset(claims), frozenset(contrast), ", ".join([*told, *([times] if times else [])]))


def _same_weighting(name: NameReading) -> frozenset[Modality]:
    """Of T1 and T1ce the contrast decides, not the weighting."""
    return _T1 if name.is_t1 else frozenset()


def _agent(value: object) -> frozenset[str]:
    text = str(value if value is not None else "").strip().lower()
    if text in _NOTHING:
        return frozenset()
    denied = text in _DENIED or read_name(f"T1 {text}").contrast == {NOT_GIVEN}
    return frozenset({NOT_GIVEN if denied else GIVEN})


def _description(facts: Mapping[str, object]) -> tuple[str, NameReading]:
    """The first of the descriptions that says which modality, and what it says."""
    for key in ("SeriesDescription", "ProtocolName"):
        text = str(facts.get(key) or "")
        reading = read_name(text)
        if reading.claims or reading.other:
            return f"{key} {text!r}", reading
    return "", NameReading(frozenset(), frozenset(), ())


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
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        return None
    return float(value) if value <= longest else float(value) / 1000.0
