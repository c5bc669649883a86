"""Connections that ask nothing, ask slowly or ask too much take nothing from others; over real sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest

from bratsseg.service.accounts.roles import Role
from bratsseg.service.settings import Limits
from tests.service.conftest import Site, log_in, make_settings
from tests.service.test_gate import listening

HALF = b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


@contextlib.contextmanager
def serving(tmp_path, **limits: float) -> Iterator[tuple[Site, int]]:
    more = {name: limits.pop(name) for name in ("proxies", "https") if name in limits}
    site = Site(make_settings(tmp_path / "data", limits=Limits(**limits), **more))
    site.user(Role.VIEWER, name="anna")
    with listening(site) as port:
        yield site, port
    site.context.close()


def connect(port: int, source: str, said: bytes = HALF) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 30, (source, 0))
    connection.sendall(said)
    return connection


def closed(connection: socket.socket) -> bool:
    """True once the other side has closed it; waits for that."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def status(port: int, source: str, path: str = "/login") -> int:
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(transport=transport, timeout=30) as client:
        return client.get(f"http://127.0.0.1:{port}{path}").status_code


def test_405_half_open_connections_leave_others_served(tmp_path):
    with serving(tmp_path) as (_, port), contextlib.ExitStack() as held:
        for number in range(405):
            held.enter_context(connect(port, f"127.0.0.{2 + number % 3}"))
        assert [status(port, source) for source in ("127.0.0.1", "127.0.0.2", "127.0.0.9")] == [200] * 3


def test_one_address_holds_no_more_than_its_share(tmp_path):
    with serving(tmp_path, connections_of_one=20) as (_, port), contextlib.ExitStack() as held:
        mine = [held.enter_context(connect(port, "127.0.0.2", b"")) for _ in range(21)]
        assert closed(mine[-1])
        assert status(port, "127.0.0.3") == 200
        mine[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert mine[0].recv(20).startswith(b"HTTP/1.1 200")
        mine[1].close()
        mine[2].sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert mine[2].recv(20).startswith(b"HTTP/1.1 200")


def test_a_head_that_never_ends_closes_its_connection(tmp_path):
    with serving(tmp_path, header_seconds=0.3) as (_, port):
        for said in (b"", HALF, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + HALF):
            with connect(port, "127.0.0.1", said) as connection:
                while connection.recv(65_536):  # the answer to a first whole request, and then the end
                    pass


def test_when_all_are_taken_who_asks_nothing_goes_first(tmp_path):
    with serving(tmp_path, connections=30) as (_, port), contextlib.ExitStack() as held:
        mine = [held.enter_context(connect(port, f"127.0.0.{2 + number % 3}")) for number in range(30)]
        assert status(port, "127.0.0.1") == 200
        assert closed(mine[0])


def test_a_proxy_may_hold_more_and_speaks_for_many(tmp_path):
    with (
        serving(tmp_path, connections_of_one=5, proxies=("127.0.0.7",)) as (site, port),
        contextlib.ExitStack() as held,
    ):
        for _ in range(20):
            held.enter_context(connect(port, "127.0.0.7"))
        assert status(port, "127.0.0.7") == 200
        assert status(port, "127.0.0.1") == 200
        codes = {}
        for source in ("127.0.0.7", "127.0.0.8"):  # a proxy that is named, and somebody who pretends
            transport = httpx.HTTPTransport(local_address=source)
            with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                client.headers["X-Forwarded-For"] = "10.1.1.1"
                for _ in range(site.settings.accounts.failures):
                    log_in(client, "anna", "wrong")
                client.headers["X-Forwarded-For"] = "10.2.2.2"
                codes[source] = log_in(client, "anna").status_code
        assert codes == {"127.0.0.7": 303, "127.0.0.8": 429}


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("GET /login HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
        ("GET /login HTTP/1.1\r\nHost: 127.0.0.1:99\r\n\r\n", b"200"),
        ("GET /login HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", b"200"),
        ("HEAD /login HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (
            "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400",
        ),
    ],
)
def test_strange_requests_are_refused(tmp_path, head, code):
    with serving(tmp_path) as (_, port), connect(port, "127.0.0.1", head.encode()) as connection:
        assert connection.recv(12) == b"HTTP/1.1 " + code
