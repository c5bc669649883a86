"""How often one may knock: a bucket for each client, and a count of wrong passwords. In memory, and bounded."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

from bratsseg.service.refusal import Refusal
from bratsseg.service.settings import AccountRules

_REMEMBERED = 10_000


class Limiter:
    """Counts of one server process."""

    def __init__(self, rules: AccountRules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def pass_request(self, who: str) -> None:
        """Count a request of ``who``; a ``Refusal`` (429) when there were too many."""
        at = time.monotonic()
        with self._lock:
            left, before = self._buckets.pop(who, (float(self._rules.burst), at))
            left = min(self._rules.burst, left + (at - before) * self._rules.requests_per_second)
            self._buckets[who] = (max(0.0, left - 1), at)
            _forget(self._buckets)
        if left < 1:
            raise Refusal(429, "too_many_requests", "too many requests; wait a second and go on", retry_after=1)

    def begin_try(self, name: str, address: str) -> float:
        """Count a password as wrong until ``was_right``, so that many tries at once are no more than one by one.

        Returns what ``was_right`` is to be given. A ``Refusal`` (429) when there were too many wrong ones for this name
        or from this address.
        """
        window, at = self._rules.failure_minutes * 60, time.monotonic()
        with self._lock:
            tries = {}
            for key, allowed in self._keys(name, address):
                tries[key] = [then for then in self._failures.get(key, ()) if at - then < window]
                if len(tries[key]) >= allowed:
                    wait = int(window - (at - tries[key][0])) + 1
                    text = f"too many wrong passwords; try again in {-(-wait // 60)} minutes"
                    raise Refusal(429, "too_many_attempts", text, retry_after=wait)
            for key, recent in tries.items():
                self._failures.pop(key, None)
                self._failures[key] = [*recent, at]
            _forget(self._failures)
        return at

    def was_right(self, name: str, address: str, tried: float) -> None:
        """The password tried at ``tried`` was right after all."""
        with self._lock:
            for key, _ in self._keys(name, address):
                if tried in (kept := self._failures.get(key, [])):
                    kept.remove(tried)

    def _keys(self, name: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
        """A name from one address has few tries, an address over all names some more."""
        return (f"{name}\n{address}", self._rules.failures), (address, self._rules.failures * 4)


def _forget(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)
