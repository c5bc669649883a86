"""The date that a file or folder name holds: 20190111, 2019-01-11, 11.01.2019, 11-Jan-2019, 2019_01_11_142530."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_YEARS = range(1970, 2101)
# Month names and their short forms: English, German, French, Spanish, Italian, Portuguese, Dutch; without accents.
_MONTHS = (
    "jan januar january janvier janv ene enero gen gennaio janeiro januari janner",
    "feb februar february fevrier fev febrero febbraio fevereiro februari feber",
    "mar marz march mars marzo marco maart mrz maerz mrt",
    "apr april avril avr abr abril aprile",
    "may mai mayo mag maggio maio mei",
    "jun june juni juin junio giu giugno junho",
    "jul july juli juillet juil julio lug luglio julho",
    "aug august aout ago agosto augustus",
    "sep sept september septembre septiembre set settembre setembro",
    "oct october okt oktober octobre octubre ott ottobre out outubro",
    "nov november novembre noviembre novembro",
    "dec december dez dezember decembre dic diciembre dicembre dezembro",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
_NAMED = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_GAP = r"[-_. ,]*"
_TIME = r"(?:t?\d{4}(?:\d{2})?)?"

_SURE = (
    re.compile(rf"(?<!\d)(?P<y>\d{{4}})(?P<m>\d{{2}})(?P<d>\d{{2}}){_TIME}(?!\d)"),
    re.compile(rf"(?<!\d)(?P<y>\d{{4}})(?P<s>[-_. ])(?P<m>\d{{2}})(?P=s)(?P<d>\d{{2}}){_TIME}(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>\d{4})(?P<s>[-.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?!\d)"),  # Brats18_2013_2_1 is none
    re.compile(r"(?<!\d)(?P<d>\d{1,2})(?P<s>\.)(?P<m>\d{1,2})\.(?P<y>\d{4}|\d{2})(?!\d)"),
    re.compile(rf"(?<![a-z\d])(?P<d>\d{{1,2}}){_GAP}(?P<name>{_NAMED}){_GAP}(?P<y>\d{{4}}|\d{{2}})(?!\d)"),
    re.compile(rf"(?<!\d)(?P<y>\d{{4}}){_GAP}(?P<name>{_NAMED})(?:{_GAP}(?P<d>\d{{1,2}}))?(?![a-z\d])"),
    re.compile(
        rf"(?<![a-z\d])(?P<name>{_NAMED}){_GAP}(?:(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[-_. ,]+)?(?P<y>\d{{4}})(?!\d)"
    ),
)
_EITHER_WAY = re.compile(r"(?<!\d)(?P<a>\d{1,2})(?P<s>[-_ /])(?P<b>\d{1,2})(?P=s)(?P<y>\d{4})(?!\d)")
_UNSURE = (
    re.compile(r"(?P<y>\d{2})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<d>\d{2})(?P<m>\d{2})(?P<y>\d{2}|\d{4})"),
    re.compile(r"(?P<y>\d{2})[-_.](?P<m>\d{2})[-_.](?P<d>\d{2})"),
    re.compile(r"(?P<d>\d{2})[-_](?P<m>\d{2})[-_](?P<y>\d{2})"),
    re.compile(r"(?P<y>\d{4})(?:[-_.](?P<m>\d{2}))?"),
)


@dataclass(frozen=True)
class WrittenDate:
    """A date and where it stands in the text. ``day`` is None where day and month may be swapped, or one is missing."""

    start: int
    end: int
    day: date | None


def dates_in(text: str) -> Iterator[WrittenDate]:
    """The dates in ``text`` (lower case, no accents) that can be nothing else, from left to right.

    01-02-2019 is one, but nobody says which number is the month; 01.02.2019 has the day first.
    """
    at = 0
    while (found := _next(text, at)) is not None:
        yield found
        at = found.end


def may_be_date(text: str) -> bool:
    """True when all of ``text`` may be a date but a number as well: 190111, 11012019, 2019, 2019-01, 19-01-11."""
    return any((match := pattern.fullmatch(text)) is not None and _possible(match.groupdict()) for pattern in _UNSURE)


def _next(text: str, at: int) -> WrittenDate | None:
    found = []
    for pattern in _SURE:
        for match in pattern.finditer(text, at):
            if (known := _written(match)) is not None:
                found.append(known)
                break
    for match in _EITHER_WAY.finditer(text, at):
        first, second, year = int(match["a"]), int(match["b"]), int(match["y"])
        days = [day for day in (_day(year, second, first), _day(year, first, second)) if day is not None]
        if days:
            found.append(WrittenDate(match.start(), match.end(), days[0] if len(set(days)) == 1 else None))
            break
    return min(found, key=lambda written: (written.start, -written.end), default=None)


def _written(match: re.Match[str]) -> WrittenDate | None:
    parts = match.groupdict()
    month = _MONTH_OF[parts["name"]] if parts.get("name") else int(parts["m"])
    day = _day(_year(parts["y"]), month, int(parts["d"] or 1))
    if day is None:
        return None
    return WrittenDate(match.start(), match.end(), day if parts["d"] else None)


def _possible(parts: dict[str, str | None]) -> bool:
    return _day(_year(parts["y"] or ""), int(parts.get("m") or 1), int(parts.get("d") or 1)) is not None


def _year(digits: str) -> int:
    """Two digits are of 1970 to 2069."""
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 70 else 1900)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if year in _YEARS else None
    except ValueError:
        return None
