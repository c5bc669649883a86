"""How lists and numbers are worded, the same in messages, tables, pages, pictures and sheets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

NOTHING = "–"
"""What stands for a number that there is none of."""
MOST_NAMED = 4
"""How many of a list a message names, unless it says otherwise."""


def some(names: Collection[object], most: int = MOST_NAMED, between: str = ", ") -> str:
    """The first of ``names`` and how many more there are: "a, b, c, d and 3 more"; empty for none."""
    shown = between.join(str(name) for name in islice(names, most))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def lines_of(lines: Collection[str], most: int, rest: str) -> Iterable[str]:
    """The first of ``lines`` and, where there are more, one that says how many: "and 7 more" and ``rest``."""
    yield from islice(lines, most)
    if len(lines) > most:
        yield f"and {len(lines) - most:,} more{rest}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """ "1 lesion", "3 lesions"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def ml(volume: float | None) -> str:
    """A volume: "0.04 mL", "3.7 mL", "124 mL"."""
    return NOTHING if volume is None else f"{short(volume)} mL"


def mm(length: float | None) -> str:
    """A length to a tenth."""
    return NOTHING if length is None else f"{length:.1f} mm"


def mm2(area: float | None) -> str:
    """An area to a whole number."""
    return NOTHING if area is None else f"{area:,.0f} mm²"


def figure(value: float | None) -> str:
    """A figure between 0 and 1: "0.87"."""
    return NOTHING if value is None else f"{value:.2f}"


def change_ml(change: float) -> str:
    """A difference of volumes with its sign."""
    return f"{'+' if change >= 0 else '−'}{short(abs(change))} mL"


def change_percent(now: float, before: float) -> str:
    """A relative change with its sign; from nothing there is none."""
    if before <= 0:
        return NOTHING
    change = 100 * (now / before - 1)
    return f"{'+' if change >= 0 else '−'}{abs(change):.0f} %"


def short(number: float) -> str:
    """A positive number to about three digits: "0.04", "3.7", "1,240"."""
    return f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def cell(text: str) -> str:
    """Text for a cell of a CSV table that a spreadsheet will open: what it would run as a formula gets a leading "'".

    https://owasp.org/www-community/attacks/CSV_Injection. Numbers stay as they are. A script that reads the table takes
    the sign off again where one of ``= + - @``, a tab or a carriage return follows it; the JSON files hold the text
    as it is.
    """
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
