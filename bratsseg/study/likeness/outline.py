"""The outline of what planes show: where it is, how closed, how round. All of it in pixels of the coarse raster."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Values = NDArray[np.float32]
Frame = tuple[slice, slice]
"""Rows and columns."""

# Air is looked for in the corners of a picture, squares of this share of its sides; two of four must show it.
CORNER = 0.06
# What is brighter than air by this share of the way to the brightest is an object.
ABOVE_AIR = 0.12
# Air differs from its usual value by less than this, noise included; it is looked at this many pixels off the object.
AIR_SPREAD = 0.1
CLEAR_OF_OBJECT = 3
# Bars beside a picture may carry the ripple of a compression, of the way to its brightest.
BAR_RIPPLE = 0.015
# Planes on which an object is smaller have no shape to speak of.
FEWEST_PIXELS = 12


def above_air(image: Values, frame: Frame, least_span: float) -> Values:
    """A modality (P, H, W) in -1 to 1: air, as the corners of ``frame`` show it, at 0; what differs most at an end.

    Where nothing differs by ``least_span`` the ends are not reached, so that faint noise does not become an object.
    """
    view = image[:, frame[0], frame[1]]
    rows, columns = (max(1, round(CORNER * size)) for size in view.shape[1:])
    corners = [view[:, a, b] for a in (np.s_[:rows], np.s_[-rows:]) for b in (np.s_[:columns], np.s_[-columns:])]
    air = sorted(float(np.median(corner)) for corner in corners)[1]
    dark, bright = np.percentile(image, (0.5, 99.5)) - air
    span = max(float(bright), -float(dark), least_span)
    if not span > 0:
        span = max(float(image.max()) - air, air - float(image.min()), 1e-9)
    found: Values = ((image - air) / np.float32(span)).clip(-1, 1)
    return found


def find_object(images: list[Values], least_span: float = 0.0) -> tuple[Mask, dict[str, float]]:
    """The largest object of each plane (P, H, W), holes filled, and figures of how it lies in the picture.

    ``main``: its share of all brightness above air. ``calm``: the share of the rest that has one and the same value.
    """
    frame = _without_bars(images)
    bright = np.mean([above_air(image, frame, least_span) for image in images], axis=0)
    found = ndimage.gaussian_filter(bright, (0, 0.7, 0.7)) > ABOVE_AIR
    largest = np.zeros_like(found)
    near = np.ones((3, 3), dtype=bool)
    for k, plane in enumerate(found):
        closed = ndimage.binary_closing(np.pad(plane, 3), near, iterations=2)[3:-3, 3:-3]
        parts, count = ndimage.label(ndimage.binary_fill_holes(closed))
        if count:
            largest[k] = parts == int(np.bincount(parts.ravel())[1:].argmax()) + 1
    lit = np.where(found, bright, 0)
    around = ndimage.binary_dilation(largest, near[None], iterations=CLEAR_OF_OBJECT)
    outside = bright[:, frame[0], frame[1]][~around[:, frame[0], frame[1]]]
    return largest, {
        "main": float(lit[largest].sum()) / max(float(lit.sum()), 1e-9),
        "calm": float((np.abs(outside) < AIR_SPREAD).mean()) if outside.size > 0.02 * bright.size else 1.0,
        "area": float(largest.mean()),
        "touching": _touching(largest),
    }


def _without_bars(images: list[Values]) -> Frame:
    """Rows and columns without bars of one value, which widen pictures to a frame; bars that leave most of it alone."""
    found = []
    for axis in (1, 2):
        lively = np.zeros(images[0].shape[axis], dtype=bool)
        for image in images:
            lines = np.moveaxis(image, axis, 0).reshape(len(lively), -1)
            tolerance = BAR_RIPPLE * (float(np.percentile(image, 99.5)) - float(image.min()))
            lively |= np.abs(lines - image[0, 0, 0]).max(axis=1) > tolerance
        line = np.flatnonzero(lively)
        wide = line.size and line[-1] + 1 - line[0] >= 0.5 * len(lively)
        found.append(slice(int(line[0]), int(line[-1]) + 1) if wide else slice(0, len(lively)))
    return found[0], found[1]


def _touching(inside: Mask) -> float:
    """Share of the frames of all planes that the object covers."""
    edges = [inside[:, 0], inside[:, -1], inside[:, :, 0], inside[:, :, -1]]
    return float(np.concatenate([edge.ravel() for edge in edges]).mean())


def shape_figures(inside: Mask) -> dict[str, float]:
    """``solid`` and ``long`` of an object (P, H, W), all planes together.

    Area over that of the convex hull; long over short axis of the ellipse of the same second moments.
    """
    area = hull = 0.0
    for plane in inside:
        size = float(np.count_nonzero(plane))
        if size >= FEWEST_PIXELS:
            area += size
            hull += max(_hull_area(plane), size)
    if not area:
        return {}
    return {"solid": area / hull, "long": _elongation(inside)}


def body_figures(inside: Mask, following: Mask) -> dict[str, float]:
    """How the object (P, H, W) continues from plane to plane; ``following`` are the ones a few mm further on.

    ``main``: share of the pixels that lie in the largest part of their plane. ``follows``: overlap (Dice) of outlines
    of neighbouring planes. ``taper``: deviation of the planes' areas over their mean, 0 in a cylinder.
    """
    areas = inside.sum(axis=(1, 2)).astype(np.float64)
    largest = [float(np.bincount(ndimage.label(plane)[0].ravel())[1:].max()) for plane in inside if plane.any()]
    both = float(areas.sum() + following.sum())
    return {
        "main": sum(largest) / max(float(areas.sum()), 1.0),
        "follows": 2 * float((inside & following).sum()) / max(both, 1.0),
        "taper": float(areas.std() / max(float(areas.mean()), 1.0)),
    }


def _hull_area(plane: Mask) -> float:
    """Area of the convex hull of pixels taken as unit squares."""
    from scipy.spatial import ConvexHull  # noqa: PLC0415 - a library of its own, for one number

    rows = np.flatnonzero(plane.any(axis=1))
    first = plane[rows].argmax(axis=1)
    last = plane.shape[1] - plane[rows][:, ::-1].argmax(axis=1)
    points = np.concatenate([np.stack([rows + step, at], 1) for at in (first, last) for step in (0, 1)])
    return float(ConvexHull(points).volume)


def _elongation(inside: Mask) -> float:
    where = np.argwhere(inside)[:, 1:].astype(np.float64)
    small, large = np.linalg.eigvalsh(np.cov(where.T))
    return float(np.sqrt(large / max(small, 1e-9)))
