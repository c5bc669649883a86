"""Timeline: several dates of one patient, as far as the case ids prove them.

The rule, by the last part of an id:

1. BraTS since 2023, ``BraTS-GLI-00012-001``: the patient is ``BraTS-GLI-00012``; the last number is the order of the
   scans and says nothing of the days between them.
2. BIDS, ``sub-X_ses-Y``: the patient is ``sub-X``; Y is a date when it is a valid YYYYMMDD, an order when it is another
   number, and proves nothing otherwise (``ses-pre``).
3. An id that ends in a valid date, ``TCGA_CS_4941_19960909`` or ``anna-2024-03-01``: the patient is what comes before.

Nothing else is taken for a date. Two cases of one patient with the same date or number have no order: none is drawn.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

_BRATS = re.compile(r"(?P<patient>BraTS-[A-Za-z]+-\d+)-(?P<number>\d{3})", re.IGNORECASE)
_BIDS = re.compile(r"(?P<patient>sub-[A-Za-z0-9]+)_ses-(?P<number>\d+)")
_DATED = re.compile(r"(?P<patient>.+?)[-_. ](?P<date>\d{4}-\d{2}-\d{2}|\d{8})")
_YEARS = range(1970, 2101)


@dataclass(frozen=True)
class Visit:
    """One case of a patient. ``day`` is None where the id gives an order only; then ``number`` is that order."""

    case: str
    patient: str
    day: date | None
    number: int

    @property
    def label(self) -> str:
        """The date, or the number as the id has it."""
        return self.day.isoformat() if self.day is not None else f"scan {self.number}"


@dataclass(frozen=True)
class Change:
    """One volume in mL against the first one and against the smallest one before it; None where there is none."""

    volume: float | None
    baseline: float | None
    nadir: float | None


def visit_of(case: str) -> Visit | None:
    """The patient and date or order that a case id proves, or None."""
    folder, slash, name = case.rpartition("/")
    if match := _BRATS.fullmatch(name):
        return Visit(case, folder + slash + match["patient"], None, int(match["number"]))
    if match := _BIDS.fullmatch(name):
        day = _day(match["number"])
        return Visit(case, folder + slash + match["patient"], day, day.toordinal() if day else int(match["number"]))
    match = _DATED.fullmatch(name)
    day = _day(match["date"].replace("-", "")) if match else None
    if match is None or day is None:
        return None
    return Visit(case, folder + slash + match["patient"], day, day.toordinal())


def timelines(cases: Iterable[str]) -> dict[str, tuple[Visit, ...]]:
    """The patients with several cases in a proven order, by patient; each in the order of their visits."""
    patients: dict[tuple[str, bool], list[Visit]] = defaultdict(list)
    for case in cases:
        if (visit := visit_of(case)) is not None:
            patients[visit.patient, visit.day is not None].append(visit)
    found = {}
    for (patient, dated), visits in sorted(patients.items()):
        numbers = {visit.number for visit in visits}
        mixed = (patient, not dated) in patients
        if len(visits) > 1 and len(numbers) == len(visits) and not mixed:
            found[patient] = tuple(sorted(visits, key=lambda visit: visit.number))
    return found


def changes(volumes: Sequence[float | None]) -> list[Change]:
    """For each visit's volume in mL, in order, its baseline (the first visit's) and nadir (the smallest one before).

    As in RANO the nadir counts from the baseline on. A visit without a volume gives none and is passed over; when the
    first visit has none, there is no baseline.
    """
    found: list[Change] = []
    smallest: float | None = None
    for number, volume in enumerate(volumes):
        if volume is None or number == 0:
            found.append(Change(volume, None, None))
        else:
            found.append(Change(volume, volumes[0], smallest))
        if volume is not None:
            smallest = volume if smallest is None else min(smallest, volume)
    return found


def _day(digits: str) -> date | None:
    if len(digits) != 8:
        return None
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return day if day.year in _YEARS else None
