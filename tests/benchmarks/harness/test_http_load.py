"""wrk sends a load to a server, and its result counts only if all requests succeeded."""

from collections.abc import Iterator
from itertools import count
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException, Request

from benchmarks.harness.http_load import CONNECTIONS, LoadError, Measured, Post, measured, put_load, send
from scripts.parts import free_port
from tests.conftest import served

BINARY = bytes(range(256)) * 100
SAID = """Running 1s test @ http://127.0.0.1:8000/predict
  1 threads and 16 connections
{"answers": %d, "microseconds": 1500000, "p50": 2000, "p99": 10000, "not_2xx": %d, "socket_errors": %d}
"""

pytestmark = pytest.mark.usefixtures("wrk")


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client of an application that counts its answers and checks the requests."""
    app, numbers = FastAPI(), count()

    @app.post("/counted")
    async def counted() -> int:
        return next(numbers)

    @app.post("/exactly")
    async def exactly(request: Request, length: Annotated[str, Header()]) -> None:
        if await request.body() != BINARY or length != "256" or request.headers["content-type"] != "a/b":
            raise HTTPException(400, "not what was sent")

    @app.post("/once")
    async def once() -> None:
        if next(numbers):
            raise HTTPException(503, "too much")

    with served(app) as found:
        yield found


def port_of(client: httpx.Client) -> int:
    return client.base_url.port or 0


def test_answers_are_counted_and_timed(client: httpx.Client) -> None:
    found = put_load(port_of(client), "/counted", b"{}", 0.3)
    answered = client.post("/counted").json()
    assert found.answers <= answered <= found.answers + found.uncounted
    assert found.uncounted == CONNECTIONS + 1
    assert found.answers > 50
    assert 0.25 < found.seconds < 1.0
    assert 0 < found.p50 <= found.p99 < found.seconds
    assert 0 < found.busy < 1.1
    assert found.rate == found.answers / found.seconds


def test_a_binary_body_and_headers_arrive_unchanged(client: httpx.Client) -> None:
    headers = {"content-type": "a/b", "length": "256"}
    assert send(port_of(client), Post("/exactly", BINARY, headers), 0.2, connections=2).answers > 0


def test_an_answer_that_is_not_200_is_an_error_with_its_text(client: httpx.Client) -> None:
    with pytest.raises(LoadError, match=r"/exactly answers 400: .*not what was sent"):
        send(port_of(client), Post("/exactly", b"else", {"content-type": "a/b", "length": "256"}), 0.2)


def test_answers_that_are_not_200_later_are_an_error(client: httpx.Client) -> None:
    with pytest.raises(LoadError, match=r"not all requests were answered with 200: .*not_2xx"):
        put_load(port_of(client), "/once", b"{}", 0.2)


def test_a_port_without_a_server_is_an_error() -> None:
    unused_port = free_port()
    with pytest.raises(LoadError, match=f"{unused_port}/predict does not answer"):
        put_load(unused_port, "/predict", b"{}", 0.2)


def test_the_result_is_read_from_the_last_line_of_wrks_output() -> None:
    assert measured(SAID % (3000, 0, 0), 0.75, 17) == Measured(3000, 1.5, 0.002, 0.01, 0.5, 17)


@pytest.mark.parametrize("said", [SAID % (0, 0, 0), SAID % (10, 1, 0), SAID % (10, 0, 1), "", "unable to connect\n"])
def test_a_load_without_answers_or_with_failures_is_an_error(said: str) -> None:
    with pytest.raises(LoadError):
        measured(said, 0.75, 17)


def test_without_wrk_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LoadError, match=r"apt-get install wrk.*brew install wrk"):
        put_load(1, "/predict", b"{}", 0.2)
