"""Does a study look like a brain at all? What is unlike one in anything that was measured is told in words.

Bounds are learnt on synthetic heads in many forms, and on a zoo of things that are none (``scripts/expectation.py``
prints both). They are wide: to refuse a real scan is worse than to let something strange pass.
"""

from __future__ import annotations

import numpy as np

from bratsseg.study.brain import Brain
from bratsseg.study.grid import Grid
from bratsseg.study.likeness.bounds import FEW_PIXELS, PICTURE, STACK, VOLUME, Bound, breaches
from bratsseg.study.likeness.figures import Figures, figures_of
from bratsseg.study.volume import Study, Volume

# A picture whose object has fewer pixels shows too little to be judged by its inside: the last slices of a head do.
ENOUGH_PIXELS = 800
# As many slices make a stack, of which the figures are means.
STACK_SLICES = 8

__all__ = ["Figures", "figures_of", "judge", "unlike_brain", "unlike_head"]


def unlike_brain(study: Study, brain: Brain) -> tuple[str, ...]:
    """In what a study is unlike a scan of a brain, a phrase each with what was measured and what brains have.

    Empty when it is like one. ``brain`` is what ``find_brain`` found. Measured: .06 s for four volumes of 240x240x155.
    """
    return judge(study, figures_of(study, brain))


def judge(study: Study, figures: Figures) -> tuple[str, ...]:
    """The same from figures that were measured before."""
    beside_the_head = "black" in figures.of_all and not figures.of_each  # the first or last slice of many stacks
    return () if beside_the_head else breaches(figures, _bounds(study, figures))


def unlike_head(study: Study) -> tuple[str, ...]:
    """The same of volumes in which ``find_brain`` found none, so that their planes are taken as pictures of a head.

    The volumes must share one grid.
    """
    shape = study.reference.grid.shape
    flat = Grid.of(shape, np.eye(4), physical=False)
    planes = Study(study.case_id, {m: Volume(volume.voxels, flat) for m, volume in study.volumes.items()})
    whole = tuple(slice(0, size) for size in shape)
    return unlike_brain(planes, Brain(np.ones(shape, dtype=bool), (whole[0], whole[1], whole[2]), "picture"))


def _bounds(study: Study, figures: Figures) -> tuple[Bound, ...]:
    """The bounds that a study is held to, by its kind and by how much it shows."""
    if study.reference.grid.physical:
        return VOLUME
    if figures.of_all["pixels"] < ENOUGH_PIXELS:
        return FEW_PIXELS
    return STACK if study.reference.grid.shape[2] >= STACK_SLICES else PICTURE
