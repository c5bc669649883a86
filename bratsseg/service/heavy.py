"""Heavy work, such as the check of an upload: one at a time, in a thread of its own, and only so many that wait.

A request that waits holds no thread, so whoever only reads is answered meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bratsseg.service.refusal import Refusal

_T = TypeVar("_T")
_OF_ONE = 4  # pieces of heavy work of one user that wait or run


class HeavyWork:
    """A queue of its own kind: uploads do not wait for corrections, nor they for uploads."""

    def __init__(self, name: str, most: int) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()

    async def run(self, user_id: str, work: Callable[[], _T]) -> _T:
        """What ``work`` returns or raises, when its turn has come. A ``Refusal`` (429, 503) when too many wait."""
        self._enter(user_id)
        try:
            future = self._pool.submit(work)
        except BaseException:
            self._leave(user_id)
            raise
        future.add_done_callback(lambda _: self._leave(user_id))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take nothing more, and forget what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _enter(self, user_id: str) -> None:
        with self._lock:
            if self._waiting[user_id] >= _OF_ONE:
                text = f"{_OF_ONE} files of yours are being checked already; wait until one is done"
                raise Refusal(429, "too_many_requests", text, retry_after=5)
            if self._waiting.total() >= self._most:
                text = "many uploads are being checked just now; nothing is lost, try again in a minute"
                raise Refusal(503, "busy", text, retry_after=30)
            self._waiting[user_id] += 1

    def _leave(self, user_id: str) -> None:
        with self._lock:
            self._waiting[user_id] -= 1
            if not self._waiting[user_id]:
                del self._waiting[user_id]
