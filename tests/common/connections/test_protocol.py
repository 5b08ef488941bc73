"""The limits of connections, on real sockets, of the api and of the monitor."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
import psutil
import pytest
from fastapi import FastAPI

from api.api import create_app as make_api
from common.connections.protocol import MAX_PIPELINED
from common.settings import Settings
from monitor.monitor import create_app as make_monitor
from scripts.parts import wait_for
from tests.conftest import served

SHORT: dict[str, Any] = {"header_seconds": 0.4, "body_seconds": 0.8, "idle_seconds": 0.6}
HEAD = b"POST /predict HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ncontent-length: 8000000\r\n\r\n"
SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(params=[make_api, make_monitor], ids=["api", "monitor"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


@contextmanager
def started(make: Callable[[Settings], FastAPI], settings: Settings, **more: Any) -> Iterator[httpx.Client]:
    with served(make(settings.model_copy(update=more))) as client:
        yield client


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20)


def end(connection: socket.socket) -> bytes:
    """Return all bytes that the server sends until it closes."""
    found = b""
    with suppress(ConnectionError):
        while content := connection.recv(65536):
            found += content
    return found


def test_endless_headers_are_refused_and_take_no_memory(make: Any, offline: Settings) -> None:
    with started(make, offline) as client, connect(client) as connection:
        before = psutil.Process().memory_info().rss
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            connection.sendall((b"x-more: " + b"x" * 15_000 + b"\r\n") * 4000)
        assert psutil.Process().memory_info().rss - before < 20_000_000
        assert client.get("/livez").is_success


def test_slow_headers_slow_bodies_and_idle_connections_end(make: Any, offline: Settings) -> None:
    with started(make, offline, **SHORT) as client, ExitStack() as stack:
        silent, slow, held, idle = (stack.enter_context(connect(client)) for _ in range(4))
        slow.sendall(b"GET /livez HT")
        held.sendall(HEAD + b"{")
        idle.sendall(b"GET /livez HTTP/1.1\r\nhost: api\r\n\r\n")
        assert end(silent) == b""
        assert end(slow).startswith(b"HTTP/1.1 408 ")
        assert end(idle).startswith(b"HTTP/1.1 200 ")
        assert end(held)[:12] in (b"HTTP/1.1 408", b"HTTP/1.1 404")  # the monitor has no such route
        assert client.get("/livez").is_success


def held_by_server(client: httpx.Client) -> int:
    """Return the number of connections that the server, which runs in this process, has not closed."""
    open_ones = psutil.Process().net_connections("tcp")
    port = client.base_url.port
    return sum(each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED for each in open_ones)


def test_a_new_connection_takes_the_place_of_one_that_waits(make: Any, offline: Settings) -> None:
    with started(make, offline, max_connections=10) as client, ExitStack() as stack:
        waiting = [stack.enter_context(connect(client)) for _ in range(30)]
        for connection in waiting:
            with suppress(ConnectionError):
                connection.sendall(b"GET /li")
        assert httpx.get(f"{client.base_url}/livez").is_success
        wait_for("ten connections at most", lambda: held_by_server(client) <= 10)
        for connection in waiting[:15]:
            end(connection)


def test_incomplete_bodies_have_one_limit_together(with_copy: Settings) -> None:
    with started(make_api, with_copy, max_unread_bytes=2**20) as client, ExitStack() as stack:
        held = [stack.enter_context(connect(client)) for _ in range(8)]
        wait_for("all connections", lambda: held_by_server(client) == len(held))
        for connection in held:
            connection.sendall(HEAD + b" " * 400_000)
        wait_for("two bodies at most", lambda: held_by_server(client) <= 2)
        wait_for("an answer", lambda: client.post("/predict", json=SETOSA).is_success)


def test_an_answer_that_the_client_does_not_read_ends_the_connection(with_copy: Settings) -> None:
    with started(make_api, with_copy, **SHORT) as client, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((client.base_url.host, client.base_url.port))
        body = json.dumps({"data": [[5.1, 3.5, 1.4, 0.2]] * 10_000}).encode()
        head = HEAD.replace(b"8000000", str(len(body)).encode())
        connection.sendall((head + body) * 5)
        wait_for("the connection", lambda: held_by_server(client) == 1)
        wait_for("its end", lambda: held_by_server(client) == 0)
        assert client.post("/predict", json=SETOSA).is_success


def test_at_most_a_hundred_requests_of_a_connection_wait_for_an_answer(make: Any, offline: Settings) -> None:
    with started(make, offline) as client, connect(client) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"GET /livez HTTP/1.1\r\nhost: api\r\n\r\n" * 2_000)
        answers = end(connection).count(b"HTTP/1.1 200 ")
        assert answers <= 2 * MAX_PIPELINED
        assert client.get("/livez").is_success
