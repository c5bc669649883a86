"""The day of a scan: known or openly unknown, and never one that cannot be."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator

from bratsseg.service.records import StudyRecord
from bratsseg.service.refusal import Refusal

_FIRST = date(1977, 1, 1)  # the year of the first image of a living human body by magnetic resonance


def possible(day: date) -> date:
    """The day itself; a ``ValueError`` when nobody was scanned then, or nobody can have been yet."""
    today = datetime.now().astimezone().date()  # the hospital's day: the server stands there
    if not _FIRST <= day <= today:
        raise ValueError(f"the day of the scan must be between {_FIRST:%Y} and today, {today}, was {day}")
    return day


ScanDay = Annotated[date, AfterValidator(possible)]
"""A day in a body that a program sends."""


def typed_day(typed: str, *, unknown: bool) -> date | None:
    """The day that a reader typed, or None where it was said to be unknown; a ``Refusal`` (422) for anything else."""
    if unknown:
        if typed:
            text = f"the day of the scan must be known or unknown, was both: {typed}; keep one"
            raise Refusal(422, "day_unclear", text)
        return None
    if not typed:
        raise Refusal(422, "day_missing", "say the day of the scan, or that it is unknown")
    try:
        return possible(date.fromisoformat(typed))
    except ValueError as error:
        text = str(error) if "must be between" in str(error) else "the day of the scan must be a date"
        raise Refusal(422, "day_impossible", text) from None


def told_day(study: StudyRecord) -> str | None:
    """The day as text; None where nobody knows it: the day of the upload is no day of a scan."""
    return None if study.taken_on is None else study.taken_on.isoformat()
