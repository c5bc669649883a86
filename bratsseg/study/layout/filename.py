"""What the names of files claim, read together: what they all share, or what belongs to the patient, says nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from bratsseg.study.contrast import ABOUT_CONTRAST, GIVEN, GOVERNING, NOT_GIVEN
from bratsseg.study.glued import senses_of, split_glued, weighs
from bratsseg.study.layout.roles import FileRole, key_of, role_of, says_something, shared_start, stem_of
from bratsseg.study.modality import Modality, NameReading, candidates, read_name, words
from bratsseg.study.words import Sense, lexicon

_NOTHING = frozenset[str]()
_T1 = frozenset({Modality.T1N, Modality.T1C})
_MOST_INITIALS = 3
_LEAST_NUMBER = 3  # digits of a patient's number: KM_001; a series is KM_2


@dataclass(frozen=True)
class FileName:
    """A file and what its name claims it to be; ``key`` is what the name says besides.

    ``contrast`` and ``unknown`` are those of ``NameReading``. ``conflict`` says why name and sidecar cannot both be
    right, empty when they can.
    """

    path: Path
    key: str
    role: FileRole | None
    claims: frozenset[Modality]
    contrast: frozenset[str] = field(default=_NOTHING)
    unknown: tuple[str, ...] = ()
    conflict: str = ""
    hedged: tuple[str, ...] = ()
    """The words of the name that leave open whether a T1 is with contrast."""
    behind: tuple[str, ...] = ()
    """The unknown words behind a T1 of whose contrast the name says nothing."""
    remark: str = ""
    """What a user should know of its sidecar; empty where there is nothing."""

    @property
    def stem_first(self) -> bool:
        """True when the key is what the stem starts with, as in ``case7_T1`` and not in ``T1_case7``."""
        return bool(self.key) and stem_of(self.path).startswith(self.key)

    @property
    def is_scan(self) -> bool:
        """True when the name claims a modality and no other role."""
        return self.role is None and bool(self.claims)

    @property
    def reading(self) -> NameReading:
        """What the name says, as ``Witness.contradicts`` takes it."""
        return NameReading(self.claims, self.contrast, self.unknown)


def read_names(files: Sequence[Path], hint: str | None = None) -> list[FileName]:
    """What each file's name claims; ``hint`` is a folder name that speaks for files that say nothing."""
    stems = [stem_of(file) for file in files]
    cut = _patient_words(stems)
    rests = [stem[cut:] for stem in stems]
    shared = _shared_words(rests) | _names_in_another_script(rests)
    initials = _initials(files, rests)
    named = []
    for path, stem, rest in zip(files, stems, rests, strict=True):
        owned = initials.get(path, _NOTHING)
        silent = shared | owned
        role, said, key = role_of(rest), read_name(rest, silent), (stem[:cut] + key_of(rest, owned)).rstrip(" _-.")
        if hint is not None and role is None and not said.claims:
            role, said, key = role_of(hint), read_name(hint), stem
        elif hint is not None and role is None and said.claims <= _T1 and candidates(hint) & _T1:
            said = read_name(f"{hint}_{rest}", silent)  # the folder may know of the contrast what the file does not say
        if unsure := _lone_initials(rest, silent, stem, stems):
            said = replace(said, claims=_T1, contrast=frozenset({GIVEN, NOT_GIVEN}), hedged=unsure)
        named.append(named_as(path, key, role, said))
    return named


def named_as(path: Path, key: str, role: FileRole | None, said: NameReading) -> FileName:
    """A file with what its name says; one with a role claims no modality."""
    claims = frozenset[Modality]() if role else said.claims
    return FileName(path, key, role, claims, said.contrast, said.unknown, hedged=said.hedged, behind=said.behind)


def _lone_initials(rest: str, silent: frozenset[str], stem: str, stems: Sequence[str]) -> tuple[str, ...]:
    """Short words for contrast before the only T1 that may as well be a patient's initials: ``KM_t1``, ``GD-T1``.

    Another T1 beside it tells that they are none; so does a sign, ``Gd+_T1``.
    """
    if read_name(rest, silent).claims != {Modality.T1C} or "+" in rest:
        return ()
    ahead = list(takewhile(lambda word: not any(map(weighs, split_glued(word))), words(rest)))
    short = tuple(word for word in ahead if word in _short_agents(ahead) - silent)
    owned = {"pat", *short}  # here a patient's, not of parallel acquisition
    plain = all(senses_of(word) <= {Sense.UNKNOWN} or word.isdigit() or word in owned for word in ahead)
    if not short or not plain or read_name(rest, silent | set(short)).contrast:
        return ()
    alone = all(other == stem or not candidates(other) & _T1 for other in stems)
    return short if alone else ()


def _patient_words(stems: Sequence[str]) -> int:
    """How much of the start that all stems share is the patient's: all of it, unless it is what names the modality."""
    start = shared_start(stems)
    if not start or not says_something(stems[0][:start]):
        return start
    said = {(role_of(stem[start:]), frozenset(candidates(stem[start:]))) for stem in stems}
    return start if len(said - {(None, frozenset())}) > 1 else 0


def _shared_words(stems: Sequence[str]) -> frozenset[str]:
    """Words about contrast in the name of every scan, a T1 and others: ``KM`` of flair_KM and t1_KM says nothing.

    Where other words govern them, as in "con contraste" and "senza contraste", they stay.
    """
    scans = [stem for stem in stems if role_of(stem) is None and candidates(stem)]
    if len(scans) < 2:
        return _NOTHING
    found = [set(words(stem)) for stem in scans]
    shared = frozenset(word for word in set.intersection(*found) if senses_of(word) & ABOUT_CONTRAST)
    governed = any(senses_of(word) & GOVERNING for word in set.union(*found) - shared)
    claims = {frozenset(candidates(stem, shared)) for stem in scans} if shared and not governed else set()
    mixed = any(claim & _T1 for claim in claims) and any(claim - _T1 for claim in claims)
    return shared if mixed and frozenset() not in claims else _NOTHING


def _names_in_another_script(stems: Sequence[str]) -> frozenset[str]:
    """Words that nobody knows of another script on a scan that is no T1: the patient's, of whom T1 says nothing."""
    others = [stem for stem in stems if role_of(stem) is None and (claims := candidates(stem)) and not claims & _T1]
    found = {word for stem in others for word in words(stem) if not word.isascii() and word not in lexicon()}
    return frozenset(word for word in found if senses_of(word) <= {Sense.UNKNOWN})


def _initials(files: Sequence[Path], stems: Sequence[str]) -> Mapping[Path, frozenset[str]]:
    """Short words for contrast that are a patient's initials: the folder's name, or the start of many names.

    ``KM_t1`` is a patient's beside ``AB_t1``, beside ``KM_flair``, as ``KM_001_t1``, and in a folder ``KM``; so is
    ``t1_KM`` beside ``t1_AB``.
    """
    groups: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for path, stem in zip(files, stems, strict=True):
        found = words(stem)
        groups[found[0] if found else ""].append((path, stem))
    told: dict[Path, frozenset[str]] = {}
    homes = {folder: _folder_words(folder) for folder in {path.parent for path in files}}
    for first, group in groups.items():
        for path, stem in group:
            owned = _short_agents(homes[path.parent])
            if _short_agents({first}) and (_several(group) or _numbered(stem)):
                owned |= {first}
            owned |= {word for word in _short_agents(words(stem)) if _beside(stem, word, stems)}
            told[path] = frozenset(owned)
    return told


def _folder_words(folder: Path) -> list[str]:
    """The words of a file's folder and the one above, where these do not say themselves what lies in them."""
    return [word for place in (folder, folder.parent) if not says_something(place.name) for word in words(place.name)]


def _short_agents(found: Collection[str]) -> set[str]:
    """The words among these that speak of contrast and may as well be somebody's initials."""
    agents = (Sense.AGENT, Sense.WEAK_AGENT)
    return {
        word
        for word in found
        if word.isascii() and len(word) <= _MOST_INITIALS and word in lexicon() and lexicon()[word].sense in agents
    }


def _several(group: Sequence[tuple[Path, str]]) -> bool:
    """True when names that start alike are of a T1 and of another weighting."""
    claims = [candidates(stem) for _, stem in group]
    return any(claim & _T1 for claim in claims) and any(claim and not claim & _T1 for claim in claims)


def _numbered(stem: str) -> bool:
    following = words(stem)[1:2]
    return bool(following) and following[0].isdigit() and len(following[0]) >= _LEAST_NUMBER


def _beside(stem: str, word: str, stems: Sequence[str]) -> bool:
    """True when another name is the same but for letters that mean nothing in place of ``word``: ``AB_t1``."""
    mine = words(stem)
    at = mine.index(word)
    others = [other for other in map(words, stems) if other[:at] + other[at + 1 :] == mine[:at] + mine[at + 1 :]]
    return any(
        other[at].isalpha() and len(other[at]) <= _MOST_INITIALS + 1 and senses_of(other[at]) == {Sense.UNKNOWN}
        for other in others
        if len(other) == len(mine)
    )
