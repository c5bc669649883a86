"""Lesions of a region: parts that dilation merges, and, in the 2024 challenges, other tissues that join them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bratsseg.study.overlap import Mask

Labels = NDArray[np.int32]

_NEIGHBOURS = ndimage.generate_binary_structure(3, 2)


@dataclass(frozen=True)
class Lesions:
    """Lesions numbered from 1, (I, J, K): ``labels`` on the region's voxels, ``grown`` on its dilated form too."""

    labels: Labels
    grown: Labels

    @property
    def numbers(self) -> NDArray[np.intp]:
        """The numbers in use, rising."""
        return np.flatnonzero(np.bincount(self.labels.ravel())[1:]) + 1


def parts(mask: Mask) -> Lesions:
    """The 26-connected parts of an (I, J, K) bool array, each a lesion."""
    labels = _numbered(mask)
    return Lesions(labels, labels)


def merged_parts(mask: Mask, dilation: int) -> Lesions:
    """Parts of which the dilated forms touch are one lesion (``get_GTseg_combinedByDilation`` of the scripts).

    The numbers follow the dilated forms' first voxels in index order, as in the scripts: joining depends on them.
    """
    grown = (
        _numbered(ndimage.binary_dilation(mask, _NEIGHBOURS, iterations=dilation)) if mask.any() else _numbered(mask)
    )
    return Lesions(np.where(mask, grown, np.int32(0)), grown)


def without_small(lesions: Lesions, voxels: int) -> Lesions:
    """Lesions of at most ``voxels`` voxels removed; the numbers of the others stay."""
    sizes = np.bincount(lesions.labels.ravel())
    keep = np.where(sizes > voxels, np.arange(len(sizes)), 0).astype(np.int32)
    keep[0] = 0
    return Lesions(keep[lesions.labels], lesions.grown)


def joined(lesions: Lesions, others: Sequence[Lesions]) -> Lesions:
    """Lesions joined by the lesions of other tissues that touch them, as the 2024 scripts do it, renumbered from 1.

    For one tissue after another: each lesion that touches it goes to the first of the tissue's lesions it touches, and
    those that go to the same one become one; where only one pair touches, nothing happens. So two lesions that share a
    neighbour stay apart when one of them also touches a neighbour of a smaller number. That is the script's behaviour
    (``relabel_nifti_image``), kept here whatever ``official_quirks`` says, because no other rule was ever stated.
    """
    numbers = lesions.numbers
    name = dict(zip(numbers.tolist(), numbers.tolist(), strict=True))
    for other in others:
        touching = sorted({(name[mine], theirs) for mine, theirs in _touching(lesions.labels, other.labels)})
        if len(touching) < 2:
            continue
        goal = _first_touched(touching, max(name.values()) + 1)
        name = {number: goal.get(current, current) for number, current in name.items()}
    final = {current: place for place, current in enumerate(sorted(set(name.values())), start=1)}
    table = np.zeros(int(lesions.grown.max(initial=0)) + 1, dtype=np.int32)
    for number, current in name.items():
        table[number] = final[current]
    return Lesions(table[lesions.labels], table[lesions.grown])


def _first_touched(touching: Iterable[tuple[int, int]], start: int) -> dict[int, int]:
    """A new number for each lesion: that of the smallest-numbered neighbour it touches. ``touching`` is sorted."""
    fresh: dict[int, int] = {}
    goal: dict[int, int] = {}
    for mine, theirs in touching:
        fresh.setdefault(theirs, start + len(fresh))
        goal.setdefault(mine, fresh[theirs])
    return goal


def _touching(mine: Labels, theirs: Labels) -> set[tuple[int, int]]:
    """Pairs of numbers of which two voxels are 18-neighbours."""
    if not mine.any() or not theirs.any():
        return set()
    padded = np.pad(theirs, 1)
    places = np.flatnonzero(np.pad(mine, 1))
    strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    numbers = mine[mine != 0].astype(np.int64)
    base = int(theirs.max()) + 1
    found: list[NDArray[np.int64]] = []
    for step in product((-1, 0, 1), repeat=3):
        if not _NEIGHBOURS[step[0] + 1, step[1] + 1, step[2] + 1]:
            continue
        beside = padded.ravel()[places + int(strides @ step)]
        found.append(np.unique((numbers * base + beside)[beside != 0]))
    return {(int(pair // base), int(pair % base)) for pair in np.unique(np.concatenate(found))}


def _numbered(mask: Mask) -> Labels:
    """26-connected components numbered by their first voxel in index order."""
    labels: Labels = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26).astype(np.int32)
    flat = labels.ravel()
    places = np.flatnonzero(flat)
    first = np.zeros(int(flat.max(initial=0)) + 1, dtype=np.intp)
    first[flat[places[::-1]]] = places[::-1]  # the last to write, which is the first voxel, stays
    table = np.zeros(len(first), dtype=np.int32)
    table[1 + np.argsort(first[1:])] = np.arange(1, len(first), dtype=np.int32)
    return table[labels]
