"""Every figure of a study that the bounds speak of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bratsseg.study.brain import Brain
from bratsseg.study.likeness.outline import body_figures, shape_figures
from bratsseg.study.likeness.planes import Planes, planes_of_pictures, planes_of_volume, world_axis
from bratsseg.study.likeness.structure import (
    Inside,
    correlation,
    mirrored,
    rim_brightness,
    standardised,
    structure_figures,
)
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study


@dataclass(frozen=True)
class Figures:
    """``of_all`` modalities together, and ``of_each`` one of them that is not constant."""

    of_all: dict[str, float]
    of_each: dict[Modality, dict[str, float]]


def figures_of(study: Study, brain: Brain) -> Figures:
    """Measure a study, a volume within its brain and a picture within the object that it shows."""
    spacing = study.reference.grid.spacing
    if spacing is None:
        planes, lies = planes_of_pictures(study)
        width, height, _ = study.reference.grid.shape
        whole = lies | {
            "side": float(min(width, height)),
            "sides": max(width, height) / min(width, height),
            "pixels": float(planes.inside.sum(axis=(1, 2)).max()),
        }
    else:
        planes = planes_of_volume(study, brain)
        edges = np.array([part.stop - part.start for part in brain.box]) * np.array(spacing)
        ml = float(np.count_nonzero(brain.mask)) * float(np.prod(spacing)) / 1000
        whole = {
            "longest": float(edges.max()),
            "shortest": float(edges.min()),
            "ml": ml,
            "filling": ml / float(edges.prod() / 1000),
            "aspect": _width_over_length(study, edges),
        } | shape_figures(planes.inside)
        whole |= body_figures(planes.inside, planes.following_inside)
    return _with_structure(whole, planes)


def _width_over_length(study: Study, edges: NDArray[np.float64]) -> float:
    """From left to right over from back to front, of the box of the brain with ``edges`` in mm."""
    along = {world_axis(study.reference.grid.affine, axis): edges[axis] for axis in range(3)}
    return float(along[0] / along[1])


def _with_structure(whole: dict[str, float], planes: Planes) -> Figures:
    of_each: dict[Modality, dict[str, float]] = {}
    mirrors: list[float] = []
    where = Inside(planes.inside)
    for modality, image in planes.images.items():
        plain = standardised(image, planes.inside)
        if plain is None:
            continue
        of_each[modality] = structure_figures(plain, where)
        if modality in planes.following:
            ahead = standardised(planes.following[modality], planes.following_inside)
            both = planes.inside & planes.following_inside
            of_each[modality]["next"] = 0.0 if ahead is None else correlation(plain[both], ahead[both])
        if modality is not Modality.T2W:  # water at the surface is bright in it alone
            of_each[modality]["rim"] = rim_brightness(plain, planes.inside)
        if planes.across:
            mirrors.append(mirrored(plain, where))
    return Figures(whole | ({"mirror": min(mirrors)} if mirrors else {}), of_each)
