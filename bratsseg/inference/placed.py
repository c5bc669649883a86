"""A network's answer on its way home: taken to the study's own grid where the network ran, only what is needed sent.

Over the whole brain the probabilities of a study are tens of MB, which a GPU sums and compares in no time and a CPU
does not. A region can only lie where its probability exceeds its threshold: the box around that comes home, and of the
rest a few sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bratsseg.inference.decoding import Decoding
from bratsseg.inference.probabilities import Target, region_probabilities
from bratsseg.inference.quality import BAND_VOXELS, FAINT, UNLIKELY, OverTheBrain
from bratsseg.study.regions import Region
from bratsseg.study.volume import Box
from bratsseg.tensors.transfer import is_gpu, to_device
from bratsseg.tensors.transforms import Placement, expand_box, place_back


@cache
def _beside_the_networks(device: torch.device) -> torch.cuda.Stream:
    """One stream for all answers of a device: each stream keeps freed memory for itself."""
    return torch.cuda.Stream(device, priority=-1)  # type: ignore[no-untyped-call]


class Raw(NamedTuple):
    """A network's output: ``logits`` (R, I, J, K) float32 in the model frame, and the pass in words.

    ``ready`` happens on a GPU when the logits are computed; nobody needs to wait there for what was started later.
    """

    logits: Tensor
    how: str
    ready: torch.cuda.Event | None = None

    @classmethod
    def started(cls, logits: Tensor, how: str) -> Raw:
        """An output whose computation was started in this thread's stream."""
        if not is_gpu(logits.device):
            return cls(logits, how)
        ready = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        ready.record(torch.cuda.current_stream(logits.device))
        return cls(logits, how, ready)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Wait for these logits alone; on a GPU what is started in here does not queue behind the networks to come.

        The logits stay until all of it is through.
        """
        if self.ready is None:
            yield
            return
        self.ready.synchronize()
        stream = _beside_the_networks(self.logits.device)
        self.logits.record_stream(stream)
        with torch.cuda.stream(stream):
            yield

    def on_cpu(self) -> Raw:
        """The same in the CPU's memory."""
        return Raw(self.logits.cpu(), self.how)


@dataclass(frozen=True, eq=False)
class PlacedProbabilities:
    """Probabilities on the study's own grid, in the placement's box: ``everywhere`` (R, I, J, K), where they were made.

    ``near`` is a box within that box which holds all that may be marked and ``BAND_VOXELS`` more (None: nothing may
    be), ``there`` (R, *near) the probabilities in it, at home.
    """

    regions: tuple[Region, ...]
    everywhere: Tensor
    near: Box | None
    there: NDArray[np.float32]
    over_the_brain: dict[Region, OverTheBrain]

    def all_of(self, region: Region) -> NDArray[np.float32]:
        """Every probability of a region (I, J, K) float32, brought home."""
        found: NDArray[np.float32] = self.everywhere[self.regions.index(region)].contiguous().cpu().numpy()
        return found


def bring_home(
    logits: Tensor,
    placement: Placement,
    inside: NDArray[np.bool_],
    *,
    target: Target,
    known: tuple[Region, ...],
    wanted: tuple[Region, ...],
    rules: Decoding,
) -> PlacedProbabilities:
    """Take logits (R, I, J, K) of the regions ``known`` to the grid of ``inside`` (I, J, K) bool, the brain in the box.

    Outside the brain probabilities are 0. ``wanted`` are the regions that the study can show.
    """
    there = region_probabilities(place_back(logits.float(), placement), target)
    there.mul_(to_device(inside, str(there.device)).contiguous())  # in the order that the probabilities have
    if wanted != known:
        there = torch.stack([there[known.index(region)] for region in wanted])
    lowest = [rules.thresholds[region] for region in wanted]
    if rules.wt_border is not None:
        lowest[0] = rules.wt_border
    near, sums, possible = _box_and_sums(there, lowest, rules.nesting == "outer")
    over = {region: _over(*each) for region, *each in zip(wanted, there, sums, possible, strict=True)}
    if near is None:
        return PlacedProbabilities(wanted, there, None, np.zeros((len(wanted), 0, 0, 0), dtype=np.float32), over)
    i, j, k = there.shape[1:]
    near = expand_box(near, (i, j, k), BAND_VOXELS)
    return PlacedProbabilities(wanted, there, near, there[(slice(None), *near)].contiguous().cpu().numpy(), over)


def _box_and_sums(
    probabilities: Tensor, thresholds: list[float], outer: bool
) -> tuple[Box | None, list[float], list[int]]:
    """The box of what may be marked, the sum of each region and how many voxels it may have, in one transfer.

    Inner regions lie within the first one, WT, but where a model says that it grows to hold them.
    """
    may_be = probabilities[0] >= thresholds[0]
    for values, threshold in zip(probabilities[1:], thresholds[1:], strict=True):
        may_be = may_be | (values >= threshold) if outer else may_be
    marks = may_be.to(torch.uint8)  # whose maximum a CPU finds many times as fast as whether any is true
    plane = marks.amax(2)
    lines = [plane.amax(1), plane.amax(0), marks.amax((0, 1))]
    sums = torch.stack([values.double().sum() for values in probabilities])
    possible = torch.stack([(values > UNLIKELY).sum() for values in probabilities])
    told = torch.cat([sums, possible.double(), *(line.double() for line in lines)]).cpu().numpy()
    totals, counts, rest = np.split(told, [len(sums), 2 * len(sums)])
    found = totals.tolist(), counts.astype(int).tolist()
    marked = [np.flatnonzero(line) for line in np.split(rest, np.cumsum([len(line) for line in lines])[:-1])]
    if not all(line.size for line in marked):
        return None, *found
    a, b, c = (slice(int(line[0]), int(line[-1]) + 1) for line in marked)
    return (a, b, c), *found


def _over(probability: Tensor, total: float, possible: int) -> OverTheBrain:
    def highest(count: int) -> NDArray[np.float32]:
        values = probability[probability > FAINT]
        if values.numel() > count:
            values = values.topk(count, sorted=False).values
        found: NDArray[np.float32] = values.cpu().numpy()
        return found

    return OverTheBrain(total, possible, highest)
