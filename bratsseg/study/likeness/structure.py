"""How the inside of an object is built, in figures that neither gain nor offset of the intensities change.

Anatomy is told from its imitations by where its contrast lies. Noise has it between neighbouring pixels, shading over
the whole object, folds in between. A drawing has nearly all of its edges in a few pixels, a random texture spreads
them as Gaussian noise does, and tissue lies between the two. Boards and bars have them along rows and columns. What
is computed as a round thing is its own mirror image, which no head is.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Values = NDArray[np.float32]

# In pixels of about 2 mm: noise is finer than the first, folds lie between the two, shading is coarser than the second.
FINE, COARSE = 1.0, 4.0
# A pixel whose 3 x 3 neighbours differ by less than this many deviations is flat.
FLAT = 0.02
MODE_BINS = 64
SHARPEST = 0.1
TINY = 1e-6
ALONG_DEGREES = 10.0
# The mirror is tried at these tilts, and at shifts of as many steps of three pixels.
TILTS = (-16.0, -8.0, 0.0, 8.0, 16.0)
SHIFTS = 3
FEWEST_PAIRS = 8
RIM_PIXELS = 2


class Inside:
    """Where the object is, ``mask`` (P, H, W), with what all modalities need of it computed once."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self._weights: dict[float, Values] = {}

    def weight(self, sigma: float) -> Values:
        """The Gaussian mean of the mask, plane by plane."""
        if sigma not in self._weights:
            self._weights[sigma] = _blurred(self.mask.astype(np.float32), sigma)
        return self._weights[sigma]

    @cached_property
    def tilted(self) -> list[tuple[float, Mask, int]]:
        """On a coarser raster the mask turned by each of ``TILTS``, and twice its middle column."""
        coarse, found = self.mask[:, ::3, ::3].astype(np.float32), []
        for tilt in TILTS:
            there = _turned(coarse, tilt) > 0.5
            if there.any():
                found.append((tilt, there, round(2 * float(np.argwhere(there)[:, 2].mean()))))
        return found


def standardised(image: Values, inside: Mask) -> Values | None:
    """Mean 0 and deviation 1 inside after cutting the outermost hundredths, 0 outside; None when it is constant."""
    values = image[inside]
    if values.size < FEWEST_PAIRS:
        return None
    low, high = np.percentile(values, (1, 99))
    clipped = np.clip(values, low, high)
    deviation = float(clipped.std())
    if not deviation > 1e-6 * max(1.0, abs(float(low)), abs(float(high))):
        return None
    done = np.zeros_like(image)
    done[inside] = (clipped - clipped.mean()) / deviation
    return done


def structure_figures(image: Values, where: Inside) -> dict[str, float]:
    """Every figure of one standardised modality (P, H, W).

    ``folds``: share of the contrast at the scale of folds, against coarser. ``grain``: the same against finer.
    ``smooth``: correlation of neighbouring pixels. ``edges``: share of all edge energy in the sharpest tenth of the
    pixels, .33 in Gaussian noise of any kind. ``along``: share of edges along rows or columns, the sharp ones cut to
    the usual, .22 where all directions are alike. ``flat``: share of pixels without any contrast. ``mode``: share of
    the fullest of 64 grey levels. ``tails``: the mean fourth power, 1 in two greys, 1.8 where all are as many, 3 in
    Gaussian noise.
    """
    inside = where.mask
    fine = _smoothed(image, where, FINE)
    coarse = _smoothed(image, where, COARSE)
    noise, middle = float((image - fine)[inside].var()), float((fine - coarse)[inside].var())
    counts, _ = np.histogram(image[inside], MODE_BINS)
    figures = {
        "grain": middle / max(middle + noise, 1e-9),
        "folds": middle / max(middle + float(coarse[inside].var()), 1e-9),
        "mode": float(counts.max()) / float(counts.sum()),
        "smooth": _neighbours(image, inside),
        "tails": float((image[inside] ** 4).mean()),
    }
    core = ndimage.minimum_filter(inside.view(np.uint8), (1, 3, 3)) > 0
    if np.count_nonzero(core) > FEWEST_PAIRS:
        span = ndimage.maximum_filter(image, (1, 3, 3)) - ndimage.minimum_filter(image, (1, 3, 3))
        figures["flat"] = float((span[core] < FLAT).mean())
        figures |= _edges(image, fine, core)
    return figures


def _edges(image: Values, fine: Values, core: Mask) -> dict[str, float]:
    down, right = (ndimage.sobel(image, axis)[core] for axis in (1, 2))
    energy = down**2 + right**2
    usual = float(np.median(energy[energy > TINY])) if (energy > TINY).any() else 1.0
    weight = np.minimum(energy, usual)  # letters burnt into a scan are few pixels of much energy
    small, large = np.minimum(np.abs(down), np.abs(right)), np.maximum(np.abs(down), np.abs(right))
    along = float(weight[small <= np.tan(np.radians(ALONG_DEGREES)) * large].sum())
    sorted_energy = np.sort(ndimage.sobel(fine, 1)[core] ** 2 + ndimage.sobel(fine, 2)[core] ** 2)
    sharpest = float(sorted_energy[-max(1, round(SHARPEST * len(sorted_energy))) :].sum())
    return {
        "along": along / max(float(weight.sum()), 1e-9),
        "edges": sharpest / max(float(sorted_energy.sum()), 1e-9),
    }


def rim_brightness(image: Values, inside: Mask) -> float:
    """How much brighter the outermost pixels of a standardised modality (P, H, W) are than the rest, in deviations."""
    core = ndimage.binary_erosion(inside, np.ones((1, 3, 3), dtype=bool), iterations=RIM_PIXELS)
    rim = inside & ~core
    return float(image[rim].mean() - image[core].mean()) if core.any() and rim.any() else 0.0


def _smoothed(image: Values, where: Inside, sigma: float) -> Values:
    """Gaussian mean (P, H, W) over what is inside, plane by plane; 0 outside."""
    mean = _blurred(image, sigma) / np.maximum(where.weight(sigma), 1e-6)
    found: Values = np.where(where.mask, mean, np.float32(0))
    return found


def _blurred(image: Values, sigma: float) -> Values:
    found: Values = ndimage.gaussian_filter(image, (0.0, sigma, sigma), truncate=2.5)
    return found


def _neighbours(image: Values, inside: Mask) -> float:
    """Correlation of each pixel with the next one down and to the right, the mean of the two."""
    found = []
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :, 1:], np.s_[:, :, :-1])):
        both = inside[a] & inside[b]
        found.append(correlation(image[a][both], image[b][both]))
    return float(np.mean(found))


def correlation(a: Values, b: Values) -> float:
    """Pearson's; 0 where one of the two is constant or there are hardly any pairs."""
    if a.size < FEWEST_PAIRS:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 1e-9 else 0.0


def mirrored(image: Values, where: Inside) -> float:
    """How far the coarse structure (P, H, W) agrees with its mirror image across W: the best of tilts and shifts."""
    coarse = _smoothed(image, where, 2.5)[:, ::3, ::3]
    best = -1.0
    for tilt, there, twice_middle in where.tilted:
        turned = _turned(coarse, tilt)
        for shift in range(-SHIFTS, SHIFTS + 1):
            best = max(best, _against_mirror(turned, there, twice_middle + shift))
    return best


def _turned(image: Values, degrees: float) -> Values:
    if degrees == 0:
        return image
    found: Values = ndimage.rotate(image, degrees, axes=(1, 2), reshape=False, order=1)
    return found


def _against_mirror(image: Values, inside: Mask, twice_middle: int) -> float:
    """Correlation between columns w and ``twice_middle`` - w, of the columns left of the middle."""
    left = np.arange(max(0, twice_middle - inside.shape[2] + 1), min((twice_middle + 1) // 2, inside.shape[2]))
    right = twice_middle - left
    both = inside[:, :, left] & inside[:, :, right]
    if np.count_nonzero(both) < 0.15 * np.count_nonzero(inside):
        return -1.0
    return correlation(image[:, :, left][both], image[:, :, right][both])
