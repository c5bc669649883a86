"""Overlap reading, computing and writing, with the results in the order of the cases and memory bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from bratsseg.batch.threads import ALONE, Threads

Item = TypeVar("Item")
Work = TypeVar("Work")
Result = TypeVar("Result")


def overlap(
    items: Iterable[Item],
    read: Callable[[Item], Work],
    compute: Callable[[Work], Work],
    write: Callable[[Work], Result],
    threads: Threads = ALONE,
) -> Iterator[Result]:
    """Take every item through ``read`` (in the readers' threads), ``compute`` (here) and ``write`` (in the writers').

    At most as many items are read ahead as there are readers, and being written as there are writers, while one is
    computed, so memory does not grow with the number of items. Results come in the order of ``items``. The stages must
    keep their own errors; an exception that leaves one, or a KeyboardInterrupt, ends everything after the running
    stages are through.
    """
    source, (readers, writers) = iter(items), (threads.readers, threads.writers)
    with (
        ThreadPoolExecutor(readers, thread_name_prefix="read") as reading,
        ThreadPoolExecutor(writers, thread_name_prefix="write") as writing,
    ):
        ahead: deque[Future[Work]] = deque()
        behind: deque[Future[Result]] = deque()
        try:
            ahead.extend(reading.submit(read, item) for item in islice(source, readers))
            while ahead:
                work = ahead.popleft().result()
                ahead.extend(reading.submit(read, item) for item in islice(source, 1))
                work = compute(work)
                while len(behind) >= writers:  # no more: writers may not fall behind and pile up results
                    yield behind.popleft().result()
                behind.append(writing.submit(write, work))
                del work
            while behind:
                yield behind.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
