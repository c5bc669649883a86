"""What synthetic heads were measured to be, with room to spare, and the words for what is not so.

The comment of each bound has what 60 to 500 synthetic heads had (``scripts/expectation.py``), lowest to highest, in
the unit of the bound or in per cent.
"""

from __future__ import annotations

from dataclasses import dataclass

from bratsseg.study.likeness.figures import Figures


@dataclass(frozen=True)
class Bound:
    """The range of one figure. Of figures of single modalities the one that is nearest to the range counts.

    ``each``: every modality must keep to it by itself.
    """

    figure: str
    words: str
    low: float = float("-inf")
    high: float = float("inf")
    unit: str = ""
    whole: bool = False
    each: bool = False

    def breach(self, figures: Figures) -> str | None:
        """What is wrong in words, or None."""
        if self.whole:
            values = [("", figures.of_all[self.figure])] if self.figure in figures.of_all else []
        else:
            values = [(f"{m.label}: ", f[self.figure]) for m, f in figures.of_each.items() if self.figure in f]
        wrong = [(owner, value) for owner, value in values if not self.low <= value <= self.high]
        if not wrong or (not self.each and len(wrong) < len(values)):
            return None
        owner, value = min(wrong, key=lambda one: max(self.low - one[1], one[1] - self.high))
        return f"{owner}{self.words} {self._shown(value)}, must be {self._range()}"

    def _range(self) -> str:
        if self.low == float("-inf"):
            return f"at most {self._shown(self.high)}"
        if self.high == float("inf"):
            return f"at least {self._shown(self.low)}"
        return f"{self._number(self.low)} to {self._shown(self.high)}"

    def _shown(self, value: float) -> str:
        return f"{self._number(value)} {self.unit}".rstrip()

    def _number(self, value: float) -> str:
        if self.unit == "%":
            return f"{100 * value:.1f}".removesuffix(".0")
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def breaches(figures: Figures, bounds: tuple[Bound, ...]) -> tuple[str, ...]:
    """What is wrong, a phrase for each bound that is not kept, and one where there is nothing to be seen."""
    found = {bound.words: told for bound in bounds if (told := bound.breach(figures)) is not None}
    nothing = () if figures.of_each else ("nothing in it stands out from its surroundings",)
    return (*nothing, *found.values())


_MM, _ML, _SHARE, _PIXELS = "mm", "mL", "%", "pixels"

VOLUME = (
    Bound("longest", "its longest side is", 80, 260, _MM, whole=True),  # 122 to 204
    Bound("shortest", "its shortest side is", 20, 200, _MM, whole=True),  # 68 to 162
    Bound("ml", "its volume is", 60, 3200, _ML, whole=True),  # 512 to 2,670
    Bound("filling", "the share of its box that it fills is", 0.15, 0.9, _SHARE, whole=True),  # 38 to 72
    Bound("solid", "it fills a share of its convex outline of", 0.6, unit=_SHARE, whole=True),  # 87 to 97
    Bound("long", "its length over its width is", high=3, whole=True),  # 1.0 to 2.2
    Bound("mirror", "the likeness of its two halves is", high=0.93, unit=_SHARE, whole=True),  # 9 to 80
    Bound("smooth", "the likeness of neighbouring pixels is", 0.25, unit=_SHARE, each=True),  # 55 to 97
    Bound("grain", "the share of its fine contrast that is no noise is", 0.15, unit=_SHARE, each=True),  # 29 to 85
    Bound("mode", "the share of it that has one and the same grey is", high=0.75, unit=_SHARE, each=True),  # 3 to 19
    Bound("mode", "the share of it that has one and the same grey is", high=0.35, unit=_SHARE),  # 3 to 19
    Bound("tails", "the fourth power of its greys, 1 in two greys, is", 1.3),  # 3.4 and more
    Bound("flat", "the share of it without any contrast is", high=0.35, unit=_SHARE),  # 0 to 9
    Bound("folds", "the share of its contrast at the size of folds is", 0.03, 0.8, _SHARE),  # 7 to 58
    Bound("edges", "the share of its edges in a tenth of the pixels is", 0.35, 0.88, _SHARE),  # 37 to 80
    Bound("along", "the share of its edges along rows and columns is", high=0.5, unit=_SHARE),  # 19 to 36
    Bound("next", "the likeness of neighbouring slices is", 0.25, unit=_SHARE),  # 45 to 94
    Bound(
        "follows", "the overlap of the outlines of neighbouring slices is", 0.78, unit=_SHARE, whole=True
    ),  # 91 to 99
    Bound("main", "the share of it in the largest object of each slice is", 0.7, unit=_SHARE, whole=True),  # 94 to 100
    Bound("taper", "the difference of its slices in area is", 0.012, unit=_SHARE, whole=True),  # 4 to 59
    Bound("aspect", "its width over its length is", 0.5, 1.36, whole=True),  # .63 to 1.10
    Bound("rim", "its surface is brighter than its inside by", high=1.3, unit="deviations"),  # -1.7 to .8
)
"""Scans with a physical size, within their brain."""

_FRAME = (
    Bound("side", "its shorter side is", 32, unit=_PIXELS, whole=True),  # 46 to 512
    Bound("sides", "its longer over its shorter side is", high=3, whole=True),  # 1.0 to 1.9
    Bound("calm", "the share of its surroundings that is plain air is", 0.45, unit=_SHARE, whole=True),  # 55 to 100
    Bound("main", "the share of its brightness in one object is", 0.15, unit=_SHARE, whole=True),  # 27 to 100
    Bound("touching", "its object touches a share of the frame of", high=0.7, unit=_SHARE, whole=True),  # 0 to 52
    Bound("solid", "its object fills a share of its convex outline of", 0.3, unit=_SHARE, whole=True),  # 35 to 99
    Bound("long", "the length over the width of its object is", high=6, whole=True),  # 1.0 to 3.8
)

FEW_PIXELS = _FRAME
"""Pictures that show little, such as the last slice of a head."""

PICTURE = (
    *_FRAME,
    Bound("main", "the share of its brightness in one object is", 0.52, unit=_SHARE, whole=True),  # 66 to 100
    Bound("tails", "the fourth power of its greys, 1 in two greys, is", 1.4),  # 1.6 and more
    Bound("long", "the length over the width of its object is", high=3.5, whole=True),  # 1.0 to 2.3
    Bound("smooth", "the likeness of neighbouring pixels is", 0.3, unit=_SHARE),  # 59 to 99
    Bound("grain", "the share of its fine contrast that is no noise is", 0.13, unit=_SHARE),  # 22 to 98
    Bound("mode", "the share of it that has one and the same grey is", high=0.45, unit=_SHARE),  # 2 to 19
    Bound("flat", "the share of it without any contrast is", high=0.4, unit=_SHARE),  # 0 to 14
    Bound("folds", "the share of its contrast at the size of folds is", 0.025, 0.93, _SHARE),  # 5 to 86
    Bound("edges", "the share of its edges in a tenth of the pixels is", 0.2, 0.9, _SHARE),  # 30 to 80
    Bound("along", "the share of its edges along rows and columns is", 0.07, 0.68, _SHARE),  # 15 to 55
)
"""One or a few pictures, within the object that they show."""

STACK = (
    *PICTURE,
    Bound("edges", "the share of its edges in a tenth of the pixels is", 0.35, 0.88, _SHARE),  # 45 to 68
    Bound("next", "the likeness of neighbouring slices is", 0.15, unit=_SHARE),  # 39 to 98
)
"""All slices of a head, as means over them."""
