"""Timeline: several dates of one patient, as far as the case ids prove them.

Whose a case is and of which visit, ``study.patient`` tells. A visit has a place in time by its date, or by its number
among visits that are counted alike: ``BraTS-GLI-00012-001``, ``sub-7_ses-2``, ``P1__visit2``, ``P1__month06``. The
number says nothing of the days between. Nothing else is an order: not ``preop`` and ``postop``, not ``ses-pre``.
Where a patient's visits are not all in one order, or two have the same date or number, none is drawn: what is missing
may be the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from bratsseg.study.patient import identify
from bratsseg.study.visit import VisitName

_DATED = "date"


@dataclass(frozen=True)
class Visit:
    """One case of a patient. ``day`` is None where the id gives an order only; then ``number`` is that order.

    ``kind`` is what is counted: days, scans, months. Only visits of one kind have an order.
    """

    case: str
    patient: str
    day: date | None
    number: int
    kind: str = _DATED

    @property
    def label(self) -> str:
        """The date, or what is counted and the number."""
        return self.day.isoformat() if self.day is not None else f"{self.kind} {self.number}"


@dataclass(frozen=True)
class Change:
    """One volume in mL against the first one and against the smallest one before it; None where there is none."""

    volume: float | None
    baseline: float | None
    nadir: float | None


def visit_of(case: str) -> Visit | None:
    """The patient and date or order that a case id proves, or None."""
    owner = identify(case)
    return None if owner.patient is None or owner.visit is None else _placed(case, owner.patient, owner.visit)


def _placed(case: str, patient: str, visit: VisitName) -> Visit | None:
    if visit.day is not None:
        return Visit(case, patient, visit.day, visit.day.toordinal())
    return None if visit.order is None else Visit(case, patient, None, visit.order[1], visit.order[0])


def timelines(cases: Iterable[str]) -> dict[str, tuple[Visit, ...]]:
    """The patients with several cases in a proven order, by patient; each in the order of their visits."""
    patients: dict[str, list[Visit | None]] = defaultdict(list)
    for case in cases:
        owner = identify(case)
        if owner.patient is not None and owner.visit is not None:
            patients[owner.patient].append(_placed(case, owner.patient, owner.visit))
    found = {}
    for patient, places in sorted(patients.items()):
        visits = [visit for visit in places if visit is not None]
        numbers, kinds = {visit.number for visit in visits}, {visit.kind for visit in visits}
        if len(numbers) == len(places) > 1 and len(kinds) == 1:
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
