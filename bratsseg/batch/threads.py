"""How many threads a batch takes beside the network, and how they share the cores.

A GPU waits for its CPU: what is read, checked, searched for the brain and written costs about half a second of one core
for a study of 240x240x155, and the network a tenth of that. So several studies are read and written at once there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_MOST_READERS, _MOST_WRITERS = 8, 4
# Python lets a thread wait this long for its turn, .005 s by default: as long as a network of many small kernels takes.
_TURN_SECONDS = 0.0005


@dataclass(frozen=True)
class Threads:
    """How many studies are read at once, and how many written."""

    readers: int
    writers: int

    @classmethod
    def of(cls, device: str, readers: int | None = None) -> Threads:
        """Those for a device; ``readers`` where somebody named a number. A CPU has all its cores in the network."""
        if device == "cpu":
            return cls(readers or 1, 1)
        return cls(readers or min(_MOST_READERS, max(2, cores() // 2)), min(_MOST_WRITERS, max(1, cores() // 4)))


ALONE = Threads(1, 1)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def shared_fairly(device: str) -> Iterator[None]:
    """Beside a GPU: no operation of torch on the CPU takes more than its own thread's core, and turns are short.

    Every reader and writer would otherwise have as many threads of torch's own as there are cores, and the thread that
    starts the network's kernels would wait for them.
    """
    if device == "cpu":
        yield
        return
    import torch  # noqa: PLC0415 - seconds to import, and there by now

    threads, turn = torch.get_num_threads(), sys.getswitchinterval()
    torch.set_num_threads(1)
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        sys.setswitchinterval(turn)
