"""Charts: histograms and curves as inline SVG. Numbers and validated dates only; texts of a case never enter."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from markupsafe import Markup

from bratsseg.report.pages import colour
from bratsseg.study.regions import Region

_BINS = 12
_WIDTH, _HEIGHT = 320, 150
_GREY = "#8c959f"
_RIGHT, _TOP, _LOW = 12, 10, 24
_LEAST_LEFT, FONT = 34, 11
_DIGIT = 0.64  # width of a digit of DejaVu Sans, the widest of the usual fonts, for a height of 1
_MARKS = {Region.WT: "", Region.TC: "6 3", Region.ET: "2 3"}  # told apart without colour too


def histogram(numbers: Sequence[float], region: Region | None = None, unit: str = "mL") -> Markup:
    """How many of ``numbers`` fall into each of 12 equal bins, from 0 or from a round number below the smallest.

    The bars have the region's colour, or a grey where the numbers belong to none.
    """
    low, top = -_round_up(-min(numbers)) if min(numbers) < 0 else 0.0, _round_up(max(numbers))
    counts, edges = np.histogram(numbers, bins=_BINS, range=(low, top))
    left = left_margin(f"{counts.max():g}")
    wide, high = (_WIDTH - left - _RIGHT) / _BINS, _HEIGHT - _TOP - _LOW
    bars = Markup("").join(
        Markup(
            '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}" stroke="#57606a" stroke-width=".5">'
            "<title>{} of {:g} to {:g} {}</title></rect>"
        ).format(
            left + number * wide,
            _TOP + high * (1 - count / counts.max()),
            wide - 1.5,
            high * count / counts.max(),
            colour(region) if region else _GREY,
            count,
            edges[number],
            edges[number + 1],
            unit,
        )
        for number, count in enumerate(counts)
        if count
    )
    label = f"Histogram of {len(numbers)} numbers from {low:g} to {top:g} {unit}"
    return _svg(label, _frame(left, float(counts.max()), f"{low:g}", f"{top:g} {unit}"), bars)


def curves(places: Sequence[float], volumes: dict[Region, list[float | None]], first: str, last: str) -> Markup:
    """Volumes in mL over ``places`` (days or order); ``first`` and ``last`` label the ends of the axis."""
    known = [volume for line in volumes.values() for volume in line if volume is not None]
    top = _round_up(max(known, default=0.0))
    start, span = places[0], places[-1] - places[0]
    left = left_margin(f"{top:g}")
    x = [left + (_WIDTH - left - _RIGHT) * (place - start) / span for place in places]
    lines = Markup("")
    for region, line in volumes.items():
        points = [(at, _y(volume, top)) for at, volume in zip(x, line, strict=True) if volume is not None]
        lines += _curve(points, region)
    return _svg(f"Volumes over {len(places)} scans, 0 to {top:g} mL", _frame(left, top, first, last), lines)


def _curve(points: list[tuple[float, float]], region: Region) -> Markup:
    path = " ".join(f"{at:.1f},{y:.1f}" for at, y in points)
    line = Markup(
        '<polyline points="{0}" fill="none" stroke="#1b1f24" stroke-width="3.2"/>'
        '<polyline points="{0}" fill="none" stroke="{1}" stroke-width="2.2" stroke-dasharray="{2}"/>'
    ).format(path, colour(region), _MARKS[region])
    dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3.5" fill="{}" stroke="#1b1f24"/>')
    return line + Markup("").join(dot.format(at, y, colour(region)) for at, y in points)


def _y(volume: float, top: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _LOW) * (1 - volume / top)


def left_margin(*labels: str) -> int:
    """How far right a chart begins, so that these labels of its left axis have room."""
    return max(_LEAST_LEFT, 8 + ceil(_DIGIT * FONT * max(len(label) for label in labels)))


def _frame(left: int, top: float, first: str, last: str) -> Markup:
    text = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')
    low = _HEIGHT - _LOW
    axes = Markup('<path d="M{0} {1}V{2}H{3}" fill="none" stroke="#57606a"/>').format(
        left - 2, _TOP, low, _WIDTH - _RIGHT
    )
    return (
        axes
        + text.format(left - 5, _TOP + 8, "end", f"{top:g}")
        + text.format(left - 5, low, "end", "0")
        + text.format(left, low + 16, "start", first)
        + text.format(_WIDTH - _RIGHT, low + 16, "end", last)
    )


def _svg(label: str, *parts: Markup) -> Markup:
    head = Markup('<svg viewBox="0 0 {} {}" font-size="{}" role="img" aria-label="{}">').format(
        _WIDTH, _HEIGHT, FONT, label
    )
    return head + Markup("").join(parts) + Markup("</svg>")


def _round_up(number: float) -> float:
    """The next 1, 2 or 5 with zeros."""
    if number <= 0:
        return 1.0
    size = 10.0 ** np.floor(np.log10(number))
    return float(next(size * step for step in (1, 2, 5, 10) if size * step >= number * (1 - 1e-9)))
