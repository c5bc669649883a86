"""Curve: one number over the epochs of a run as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _LOW = 48, 12, 10, 24
_MOST_POINTS = 600


def progress_chart(points: Sequence[tuple[int, float]], name: str) -> Markup:
    """(epoch, value) pairs as a line from the lowest to the highest value; long runs are thinned to 600 points."""
    step = -(-len(points) // _MOST_POINTS)
    shown = [*points[:-1:step], points[-1]]
    low, high = min(value for _, value in points), max(value for _, value in points)
    first, last = points[0][0], points[-1][0]
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _LOW
    places = [
        (
            _LEFT + wide * (epoch - first) / max(last - first, 1),
            _TOP + tall * (1 - (value - low) / (high - low)) if high > low else _TOP + tall / 2,
        )
        for epoch, value in shown
    ]
    line = Markup('<polyline points="{}" fill="none" stroke="#0072b2" stroke-width="1.8"/>').format(
        " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    )
    dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="#0072b2"/>').format(*places[-1])
    label = f"{name} over {len(points)} epochs, from {low:.4g} to {high:.4g}"
    head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDTH, _HEIGHT, label)
    return head + _axes(low, high, first, last) + line + dot + Markup("</svg>")


def _axes(low: float, high: float, first: int, last: int) -> Markup:
    text = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')
    floor = _HEIGHT - _LOW
    frame = Markup('<path d="M{0} {1}V{2}H{3}" fill="none" stroke="#57606a"/>').format(
        _LEFT - 2, _TOP, floor, _WIDTH - _RIGHT
    )
    return (
        frame
        + text.format(_LEFT - 5, _TOP + 8, "end", f"{high:.3g}")
        + text.format(_LEFT - 5, floor, "end", f"{low:.3g}")
        + text.format(_LEFT, floor + 16, "start", f"epoch {first}")
        + text.format(_WIDTH - _RIGHT, floor + 16, "end", f"{last}")
    )
