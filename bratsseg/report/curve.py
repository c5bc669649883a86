"""Curve: one number over the epochs of a run as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bratsseg.report.charts import FONT, left_margin

_WIDTH, _HEIGHT = 320, 150
_RIGHT, _TOP, _LOW = 12, 10, 24
_MOST_POINTS = 600


def progress_chart(points: Sequence[tuple[int, float]], name: str) -> Markup:
    """(epoch, value) pairs as a line from the lowest to the highest value; long runs are thinned to 600 points."""
    step = -(-len(points) // _MOST_POINTS)
    shown = [*points[:-1:step], points[-1]]
    low, high = min(value for _, value in points), max(value for _, value in points)
    first, last = points[0][0], points[-1][0]
    left = left_margin(f"{low:.3g}", f"{high:.3g}")
    wide, tall = _WIDTH - left - _RIGHT, _HEIGHT - _TOP - _LOW
    places = [
        (
            left + wide * (epoch - first) / max(last - first, 1),
            _TOP + tall * (1 - (value - low) / (high - low)) if high > low else _TOP + tall / 2,
        )
        for epoch, value in shown
    ]
    line = Markup('<polyline points="{}" fill="none" stroke="#0072b2" stroke-width="1.8"/>').format(
        " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    )
    dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="#0072b2"/>').format(*places[-1])
    label = f"{name} over {len(points)} epochs, from {low:.4g} to {high:.4g}"
    head = Markup('<svg viewBox="0 0 {} {}" font-size="{}" role="img" aria-label="{}">').format(
        _WIDTH, _HEIGHT, FONT, label
    )
    return head + _axes(left, (low, high), (first, last)) + line + dot + Markup("</svg>")


def _axes(left: int, values: tuple[float, float], epochs: tuple[int, int]) -> Markup:
    (low, high), (first, last) = values, epochs
    text = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')
    floor = _HEIGHT - _LOW
    frame = Markup('<path d="M{0} {1}V{2}H{3}" fill="none" stroke="#57606a"/>').format(
        left - 2, _TOP, floor, _WIDTH - _RIGHT
    )
    return (
        frame
        + text.format(left - 5, _TOP + 8, "end", f"{high:.3g}")
        + text.format(left - 5, floor, "end", f"{low:.3g}")
        + text.format(left, floor + 16, "start", f"epoch {first}")
        + text.format(_WIDTH - _RIGHT, floor + 16, "end", f"{last}")
    )
