"""Refused attempts go into the audit: who tried what, from where. Many of one kind at once become few rows."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.records import Store
from bratsseg.service.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

_SECONDS = 60.0
_REMEMBERED = 10_000


class Attempts:
    """Those of one server process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._noted: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()

    def note(self, request: Request, visitor: Visitor | None, refusal: Refusal, path: str) -> None:
        """Write a row for the first attempt of its kind in a minute; the next row says how many came between."""
        who = visitor or Visitor("", "", frozenset(), request.client.host if request.client else "")
        times = self._times((who.user_id or who.address, request.method, path, refusal.code))
        if times is None:
            return
        told: dict[str, Any] = {"method": request.method, "path": path[:200], "code": refusal.code}
        if times:
            told["more"] = times
        with self._store.writing() as session:
            record_action(session, who, "access.refused", **told)

    def _times(self, kind: tuple[str, ...]) -> int | None:
        """None while a row of this kind is young; otherwise the attempts since that row."""
        at = time.monotonic()
        with self._lock:
            since, more = self._noted.pop(kind, (-_SECONDS, 0))
            young = at - since < _SECONDS
            self._noted[kind] = (since, more + 1) if young else (at, 0)
            while len(self._noted) > _REMEMBERED:
                self._noted.popitem(last=False)
        return None if young else more
