"""Connections: nobody holds one without asking for something, and no address holds them all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from uvicorn.protocols.http.h11_impl import H11Protocol

from bratsseg.service.settings import Limits


class Connections:
    """Those of one server: how many each address holds, and which still owe the head of a request."""

    def __init__(self, limits: Limits, proxies: Sequence[str]) -> None:
        self.header_seconds = limits.header_seconds
        self._most, self._most_of_one = limits.connections, limits.connections_of_one
        self._proxies = [ip_network(proxy, strict=False) for proxy in proxies]
        self._held: Counter[str] = Counter()
        self._owing: dict[GuardedProtocol, None] = {}  # in the order in which they began to owe

    def take(self, connection: GuardedProtocol, address: str) -> bool:
        """Count a new connection; False when it must be closed at once.

        A proxy that the settings name may hold as many as there are: behind it are many people, and it is trusted to
        bound each of them. When all connections are taken, the one that has owed a request the longest goes.
        """
        if not self._is_proxy(address) and self._held[address] >= self._most_of_one:
            return False
        if self._held.total() >= self._most:
            oldest = next(iter(self._owing), None)
            if oldest is None:
                return False
            oldest.drop()
        self._held[address] += 1
        return True

    def release(self, connection: GuardedProtocol, address: str) -> None:
        """A connection that was taken is closed."""
        self._owing.pop(connection, None)
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]

    def owes(self, connection: GuardedProtocol, owing: bool) -> None:
        """A connection begins to owe the head of a request, or has sent it."""
        self._owing.pop(connection, None)
        if owing:
            self._owing[connection] = None

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(ip_address(address) in proxy for proxy in self._proxies)
        except ValueError:  # no address at all, such as that of a Unix socket
            return False


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a time limit for the head of every request and a count of connections."""

    guard: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._taken = self.guard.take(self, self._address)
        self._timer: asyncio.TimerHandle | None = None
        if self._taken:
            self._await_head()
        else:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the connection back."""
        self._stop_waiting()
        if self._taken:
            self._taken = False
            self.guard.release(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless the connection was closed meanwhile."""
        if self.transport.is_closing():
            return
        before = self.cycle
        if self._timer is None and before is not None and before.response_complete:
            self._await_head()  # another request on a connection that was kept
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()

    def drop(self) -> None:
        """Close without an answer: whoever asks nothing is told nothing."""
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.abort()

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self.guard.header_seconds, self.drop)
        self.guard.owes(self, True)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.guard.owes(self, False)


def guarded(limits: Limits, proxies: Sequence[str]) -> type[asyncio.Protocol]:
    """The protocol of one server, for ``uvicorn.Config(http=…)``."""
    return type("Protocol", (GuardedProtocol,), {"guard": Connections(limits, proxies)})
