"""Memory that two processes see, for what is too large for a pipe."""

from __future__ import annotations

import mmap
import os
import tempfile
from multiprocessing import reduction
from typing import Any


class SharedMemory:
    """Bytes that this process and those it starts with it see; they grow on demand, and are gone when all have ended.

    Not ``multiprocessing.shared_memory``: containers often give that 64 MB for everybody.
    """

    def __init__(self, file: int | None = None) -> None:
        self._file = _nameless_file() if file is None else file
        self._map: mmap.mmap | None = None

    def of(self, size: int) -> mmap.mmap:
        """At least the first ``size`` bytes."""
        if self._map is None or len(self._map) < size:
            if os.fstat(self._file).st_size < size:
                os.ftruncate(self._file, size)
            self._map = mmap.mmap(self._file, os.fstat(self._file).st_size)
        return self._map

    def close(self) -> None:
        """Give it up here; what tensors still show stays until they are gone."""
        self._map = None
        os.close(self._file)

    def __reduce__(self) -> tuple[Any, ...]:
        """For the arguments of a process that is being started, and nothing else."""
        return _received, (reduction.DupFd(self._file),)


def _received(file: Any) -> SharedMemory:
    return SharedMemory(file.detach())


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("bratsseg")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
