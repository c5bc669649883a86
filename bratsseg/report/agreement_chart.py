"""Bland and Altman's plot as inline SVG: difference of two volumes over their mean, with bias and limits."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bratsseg.evaluation.agreement import BlandAltman
from bratsseg.report.charts import FONT, left_margin
from bratsseg.report.pages import colour
from bratsseg.study.regions import Region

_WIDTH, _HEIGHT = 320, 190
_RIGHT, _TOP, _LOW = 12, 10, 24


def agreement_chart(first: Sequence[float], second: Sequence[float], found: BlandAltman, region: Region) -> Markup:
    """Volumes in mL in pairs, first less second; a line at the bias and dashed ones at the limits of agreement."""
    points = [((one + other) / 2, one - other) for one, other in zip(first, second, strict=True)]
    lines = [(found.bias, ""), (found.lower, "5 3"), (found.upper, "5 3")]
    heights = [0.0, *(y for _, y in points), *(y for y, _ in lines if y is not None)]
    low, high, wide = min(heights), max(heights), max((x for x, _ in points), default=0.0) or 1.0
    span = high - low or 1.0
    left = left_margin(f"{low:.2g}", f"{high:.2g}")

    def x_of(value: float) -> float:
        return left + (_WIDTH - left - _RIGHT) * value / wide

    def y_of(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _LOW) * (high - value) / span

    text = Markup('<text x="{}" y="{:.1f}" text-anchor="{}">{}</text>')
    rule = Markup('<path d="M{} {:.1f}H{}" fill="none" stroke="{}" stroke-dasharray="{}"/>')
    dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3.2" fill="{}" stroke="#1b1f24" stroke-width=".6"/>')
    drawn = rule.format(left, y_of(0.0), _WIDTH - _RIGHT, "#d5dae0", "")
    for value, dashes in lines:
        if value is not None:
            drawn += rule.format(left, y_of(value), _WIDTH - _RIGHT, "#57606a", dashes)
    drawn += Markup("").join(dot.format(x_of(x), y_of(y), colour(region)) for x, y in points)
    drawn += text.format(left - 5, _TOP + 8, "end", f"{high:.2g}") + text.format(
        left - 5, float(_HEIGHT - _LOW), "end", f"{low:.2g}"
    )
    drawn += text.format(left, _HEIGHT - 8.0, "start", "0") + text.format(
        _WIDTH - _RIGHT, _HEIGHT - 8.0, "end", f"mean {wide:.3g} mL"
    )
    label = f"Difference over mean of {len(points)} pairs of volumes, from {low:.3g} to {high:.3g} mL"
    head = Markup('<svg viewBox="0 0 {} {}" font-size="{}" role="img" aria-label="{}">').format(
        _WIDTH, _HEIGHT, FONT, label
    )
    return head + drawn + Markup("</svg>")
