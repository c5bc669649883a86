"""Pixels by class: the confusion matrix of whole cases, and precision, recall and F1 of each class from it.

Classes part the pixels where regions nest: background, and for each region what lies in it and in no inner one. So they
are what a network of classes (softmax) is scored by. Reference code: ``sklearn.metrics.classification_report`` on
flattened maps, but for the empty cases: precision of a class never predicted, recall and F1 of a class that is nowhere
are None, and not 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bratsseg.config import Config
from bratsseg.study.overlap import Mask
from bratsseg.study.regions import Region

BACKGROUND = "background"


class ClassScores(Config):
    """One class over all pixels."""

    name: str
    """``background``, or the region whose inner ones are taken away, such as ``WT without TC``."""
    precision: float | None
    """Share of the pixels predicted as this class that are of it; None where none was predicted."""
    recall: float | None
    """Share of the pixels of this class that were found; None where there is none."""
    f1: float | None
    """Harmonic mean of both, which equals the pooled Dice of the class; None where the class is nowhere."""
    support: int
    """Pixels of this class in the references."""


class ClassTable(Config):
    """The confusion matrix of many cases."""

    names: tuple[str, ...]
    """Classes from the background inwards."""
    counts: tuple[tuple[int, ...], ...]
    """Pixels by class of the reference (row) and of the prediction (column)."""

    def __add__(self, other: ClassTable) -> ClassTable:
        """Both tables as one; ``ValueError`` when their classes differ."""
        if self.names != other.names:
            raise ValueError(f"tables must have the same classes, were {self.names} and {other.names}")
        return ClassTable(names=self.names, counts=_rows(np.asarray(self.counts) + np.asarray(other.counts)))

    @property
    def of_background(self) -> ClassTable:
        """What a prediction of nothing would have had."""
        support = np.asarray(self.counts, dtype=np.int64).sum(axis=1)
        counts = np.zeros((len(self.names), len(self.names)), dtype=np.int64)
        counts[:, 0] = support
        return ClassTable(names=self.names, counts=_rows(counts))

    def scores(self) -> tuple[ClassScores, ...]:
        """The classification report, class by class."""
        counts = np.asarray(self.counts, dtype=np.int64)
        right, support, claimed = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
        return tuple(
            ClassScores(
                name=name,
                precision=_share(right[at], claimed[at]),
                recall=_share(right[at], support[at]),
                f1=_share(2 * right[at], support[at] + claimed[at]),
                support=int(support[at]),
            )
            for at, name in enumerate(self.names)
        )


def class_table(predicted: Mapping[Region, Mask], reference: Mapping[Region, Mask]) -> ClassTable:
    """Count one case: bool arrays of one shape by region, the same regions in both.

    A pixel belongs to the innermost region that holds it, also where a prediction is not nested.
    """
    regions = [region for region in Region if region in reference]
    if set(predicted) != set(reference):
        raise ValueError(f"both sides must have the same regions, were {sorted(predicted)} and {sorted(reference)}")
    ours, theirs = _classes(predicted, regions), _classes(reference, regions)
    if ours.shape != theirs.shape:
        raise ValueError(f"masks must have one shape, were {ours.shape} and {theirs.shape}")
    size = len(regions) + 1
    counts = np.bincount((theirs * np.uint8(size) + ours).ravel(), minlength=size * size).reshape(size, size)
    return ClassTable(names=_names(regions), counts=_rows(counts))


def _classes(masks: Mapping[Region, Mask], regions: Sequence[Region]) -> NDArray[np.uint8]:
    found = np.zeros(next(iter(masks.values())).shape, dtype=np.uint8)
    for code, region in enumerate(regions, start=1):
        found[masks[region]] = code
    return found


def _names(regions: Sequence[Region]) -> tuple[str, ...]:
    inner = [f" without {region}" for region in regions[1:]] + [""]
    return (BACKGROUND, *(f"{region}{less}" for region, less in zip(regions, inner, strict=False)))


def _rows(counts: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(count) for count in row) for row in counts)


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
