"""Bodies that are too large or too slow, whatever their headers say; over a real socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from bratsseg.service.accounts.roles import Role
from bratsseg.service.server import server_config
from bratsseg.service.settings import Limits
from tests.service.conftest import Site, make_settings


@contextlib.contextmanager
def listening(site: Site) -> Iterator[int]:
    config = server_config(site.app, site.settings.model_copy(update={"port": 0}))
    config.lifespan, config.log_level = "off", "error"
    server, bound = uvicorn.Server(config), config.bind_socket()
    bound.listen(512)  # connections wait until the server is up
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(tmp_path) -> Iterator[tuple[int, str]]:
    limits = Limits(form=1000, piece_seconds=0.3)
    site = Site(make_settings(tmp_path / "data", limits=limits))
    client = site.client(Role.RADIOLOGIST)
    secret = client.post("/api/v1/users/me/tokens", json={"label": "x"}).json()["secret"]
    with listening(site) as port:
        yield port, f"Host: x\r\nAuthorization: Bearer {secret}\r\nContent-Type: application/json\r\n"
    site.context.close()


def ask(port: int, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        for part in parts:
            connection.sendall(part)
        return connection.recv(4096)


def test_a_body_longer_than_stated_or_of_no_length_is_cut_off(address):
    port, headers = address
    start = f"POST /api/v1/uploads HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode()
    answer = ask(port, start, b"3e8\r\n" + bytes(1000) + b"\r\n", b"3e8\r\n" + bytes(1000) + b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    announced = f"POST /api/v1/uploads HTTP/1.1\r\n{headers}Content-Length: 99999999\r\n\r\n".encode()
    assert ask(port, announced).startswith(b"HTTP/1.1 413")


def test_a_slow_sender_is_given_up(address):
    port, headers = address
    start = f"POST /api/v1/uploads HTTP/1.1\r\n{headers}Content-Length: 900\r\n\r\n{{".encode()
    assert ask(port, start).startswith(b"HTTP/1.1 408")


def test_who_may_not_come_in_sends_no_body(address):
    port, _ = address
    start = b"POST /api/v1/uploads HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n"
    assert ask(port, start).startswith(b"HTTP/1.1 401")


def test_a_drawing_is_not_as_large_as_a_study(address):
    port, headers = address
    start = f"PUT /api/v1/results/0/correction HTTP/1.1\r\n{headers}Content-Length: 99999999\r\n\r\n".encode()
    assert ask(port, start).startswith(b"HTTP/1.1 413")
