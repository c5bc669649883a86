"""From the values of one dialect to those of another, through the regions that both mean."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bratsseg.study.dialect import Dialect
from bratsseg.study.regions import Region


@dataclass(frozen=True, eq=False)
class Translation:
    """``table`` (256,) uint8 takes each value of ``source`` to the one of ``target`` with the same regions."""

    source: Dialect
    target: Dialect
    table: NDArray[np.uint8]

    @classmethod
    def between(cls, source: Dialect, target: Dialect) -> Translation:
        """The table between two dialects; a dialect to itself changes nothing."""
        table = np.arange(256, dtype=np.uint8)
        if source is not target:
            table[:] = 0
            for value, regions in source.meaning.items():
                held = np.array([region in regions for region in Region]).reshape(3, 1, 1, 1)
                table[value] = target.encode(held).item()
        return cls(source, target, table)

    def losses(self, found: Collection[int]) -> Iterator[str]:
        """What the values ``found`` in a map lose on the way, in words."""
        if self.source is self.target:
            return
        for value in sorted(found):
            new = int(self.table[value])
            others = sorted(other for other in found if other != value and int(self.table[other]) == new)
            if new == 0:
                yield f"value {value} of {self.source.name} has no place in {self.target.name} and becomes background"
            elif others and value > others[0]:
                yield f"values {others[0]} and {value} of {self.source.name} become {new} of {self.target.name}"
        held = frozenset[Region]().union(*(self.source.meaning[value] for value in found)) & self.source.expresses
        for region in (region for region in Region if region in held - self.target.expresses):
            yield f"{self.target.name} cannot store {region}"
        for region in (region for region in Region if region in self.target.expresses - self.source.expresses and held):
            yield f"{self.source.name} does not tell {region}, which {self.target.name} then seems to say is absent"
