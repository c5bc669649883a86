"""Whose a case is: ids from the user's own names, and the patient and visit in an id. The one place for both.

How a case is called (``id_of``):

1. By the name of its folder, or the stem its files share, as the user wrote it.
2. Where that name tells nothing of the patient (a date, a word for a visit, a plain technical name: ``study.visit``),
   the names of the folders above belong to it, up to the first that does, joined by "__":
   ``clinic/P1/2019-01-11`` → ``P1__2019-01-11``. So the id depends on no neighbour, nor on where the search starts:
   it is the same when the search starts in ``P1``.
3. Cases that would still share an id are told apart by their path below the folder searched, "__" in place of "/"
   (``layout.find_cases``). That path is the one part of an id that depends on others. ``A`` and ``a`` are two ids, and
   each keeps its name; where the disk of the results holds them for one, both cases are refused (``batch.names``).

Whose an id is (``identify``): what is left of it without its visits. ``P1__2019-01-11``, ``P1_baseline``,
``BraTS-GLI-00005-100``, ``sub-7_ses-2``, ``TCGA_CS_4942_19970222``, ``UCSF-PDGM-0429_FU003d``, ``UPENN-GBM-00001_11``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath

from bratsseg.study.day import dates_in
from bratsseg.study.visit import VisitName, is_technical, looks_like_patient, read_visit, tells

JOIN = "__"
"""Between the names in an id that has several."""
# Data sets that number a patient's scans. BraTS since 2023; BIDS; UPENN-GBM (11 before, 21 after treatment).
_SCHEMES = (
    re.compile(r"(?P<patient>BraTS-[A-Za-z]+-\d+)-(?P<visit>(?P<order>\d{3}))", re.IGNORECASE),
    re.compile(r"(?P<patient>sub-[A-Za-z0-9]+)_(?P<visit>ses-(?:(?P<order>\d+)|[A-Za-z0-9]+))"),
    re.compile(r"(?P<patient>UPENN-GBM-\d{5})_(?P<visit>(?P<order>\d\d))(?:[_-].*)?"),
)
_PARTS = re.compile(rf"({JOIN}|/)")
_SEPARATOR = re.compile(r"[-_. ]+")


@dataclass(frozen=True)
class Owner:
    """Whose a case is. ``patient`` is None where the id names a visit alone, ``visit`` where it names none."""

    patient: str | None
    visit: VisitName | None = None


def id_of(place: PurePath, top: PurePath | None = None) -> str:
    """The id of the case that lies at ``place``, an absolute path of a folder, or of a stem below one.

    With a ``top`` neither its name nor those above count: where no name below it tells whose the case is, the last
    stands alone.
    """
    names = [place.name]
    above = place.parent
    while not tells(names[0], above.name) and above.name and above != top:
        names.insert(0, above.name)
        above = above.parent
    told = top is None or tells(names[0], above.name)
    return JOIN.join(names) if told else names[-1]


def patient_of(case_id: str) -> str:
    """The patient behind a case id: the id without its visit; all of it where it names a visit alone.

    BraTS-GLI-00005-100 → BraTS-GLI-00005; P1__2019-01-11 → P1; TCGA_CS_4942_19970222 → TCGA_CS_4942.
    """
    return identify(case_id).patient or case_id


def identify(case_id: str) -> Owner:
    """The patient and the visit that an id names."""
    parts = _PARTS.split(case_id)
    last = len(parts) - 1
    while last >= 0 and not tells(parts[last], parts[last - 2] if last else ""):
        last -= 2
    if last < 0:
        return Owner(None, _merged(parts[::2], ""))
    own, visit = _apart(parts[last])
    before = [n for n in range(0, last, 2) if _is_visit_folder(parts[n])]
    kept = [piece for n, piece in enumerate(parts[:last]) if n not in before and n - 1 not in before]
    names = [parts[n] for n in (*before, *range(last + 2, len(parts), 2))]
    return Owner("".join((*kept, own)), _merged(names, own, visit))


def _is_visit_folder(name: str) -> bool:
    """True for the folder of a date or visit that holds patients: 2019-01-11__P1."""
    return read_visit(name) is not None


def _apart(name: str) -> tuple[str, VisitName | None]:
    """The patient and the visit in one name: P1_20190111, anna-baseline, BraTS-GLI-00005-100."""
    for scheme in _SCHEMES:
        if found := scheme.fullmatch(name):
            number = found["order"]
            day = next((written.day for written in dates_in(number or "")), None)
            order = ("scan", int(number)) if number and day is None else None
            return found["patient"], VisitName(found["visit"], day, order)
    for gap in _SEPARATOR.finditer(name):
        first, rest = name[: gap.start()], name[gap.end() :]
        if tells(first) and _follows(rest, first):
            return first, read_visit(rest, first)
        visit = read_visit(first)
        if visit is not None and tells(rest) and (looks_like_patient(rest) or visit.day is not None):
            return rest, visit
    return name, None


def _follows(rest: str, patient: str) -> bool:
    """True when ``rest`` is a visit of ``patient``, or technical: not the 4941_19960909 of TCGA_CS_4941_19960909."""
    if is_technical(rest):
        return True
    visit = read_visit(rest, patient)
    if visit is None or (rest[0].isdigit() and read_visit(_SEPARATOR.split(rest)[0], patient) is None):
        return visit is not None and _starts_with_date(rest)
    return visit.sure or looks_like_patient(patient)


def _starts_with_date(text: str) -> bool:
    found = next(dates_in(text.lower()), None)
    return found is not None and found.start == 0


def _merged(names: list[str], own: str, first: VisitName | None = None) -> VisitName | None:
    """One visit from all names that speak of it."""
    found = [first] if first is not None else []
    for before, name in zip(["", *names], names, strict=False):
        visit = read_visit(name, own or before)
        if visit is not None:
            found.append(visit)
    if not found:
        return None
    day: date | None = next((visit.day for visit in found if visit.day is not None), None)
    order = next((visit.order for visit in found if visit.order is not None), None)
    return VisitName(" ".join(visit.name for visit in found), day, order)
