"""An api that drains: it answers all requests, its health checks fail, and it ends with its log written."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import pytest

from api.draining.routes import PATHS
from common.settings import Settings
from scripts.parts import wait_for
from tests import servers
from tests.api.inference.test_prediction_log import SETOSA, log_size, logged, store_of
from tests.api.routes.test_bad_requests import check_problem
from tests.api.workers.fleet import alive, fleet

LONG = 60.0  # the tests end this step by themselves
BODY = json.dumps(SETOSA).encode()
PREDICT = b"POST /predict HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
LABEL = b"GET /label HTTP/1.1\r\nhost: api\r\n\r\n"


def connect(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname or "", place.port or 0), timeout=20)


@contextmanager
def draining(settings: Settings, *begun: bytes) -> Iterator[tuple[str, subprocess.Popen[bytes], list[socket.socket]]]:
    """Run an api that has been told to end.

    Yields:
        Its address, its process, and connections from before, each with one of the requests in `begun` answered, or
        with the part of it that it has.
    """
    with (
        servers.api_process(settings.model_copy(update={"drain_seconds": LONG})) as (url, started),
        ExitStack() as stack,
    ):
        before = [stack.enter_context(connect(url)) for _ in begun]
        for connection, request in zip(before, begun, strict=True):
            connection.sendall(request)
            if request == LABEL:
                assert read(connection)[0] == 200
        started.terminate()
        wait_for("the first step", lambda: httpx.get(f"{url}/livez").status_code == 503)
        yield url, started, before


def read(connection: socket.socket) -> tuple[int, list[str] | None]:
    """Read an answer; return its status and what it says of the connection."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        assert answer.read()
        return answer.status, answer.headers.get_all("connection")


def skip_first_step(started: subprocess.Popen[bytes]) -> None:
    started.send_signal(signal.SIGINT)
    started.wait(timeout=20)


@pytest.mark.parametrize("request_", [PREDICT % len(BODY) + BODY, LABEL], ids=["fast path", "application"])
def test_old_and_new_connections_get_their_answer_and_close(with_copy: Settings, request_: bytes) -> None:
    with draining(with_copy, LABEL, LABEL) as (url, started, before), connect(url) as new:
        for connection in (*before, new):
            connection.sendall(request_)
            assert read(connection) == (200, ["close"])
            assert connection.recv(1) == b""
        skip_first_step(started)


def test_a_request_that_has_begun_is_answered(with_copy: Settings) -> None:
    head = PREDICT % len(BODY)
    with draining(with_copy, head[:20], head + BODY[:5]) as (_, started, (first, second)):
        first.sendall(head[20:] + BODY)
        second.sendall(BODY[5:])
        assert [read(first)[0], read(second)[0]] == [200, 200]
        assert [first.recv(1), second.recv(1)] == [b"", b""]
        skip_first_step(started)


def test_health_checks_fail_and_say_why(with_copy: Settings) -> None:
    with draining(with_copy) as (url, started, _):
        for path in PATHS:
            answer = httpx.get(url + path)
            check_problem(answer, 503)
            assert "about to end" in answer.json()["detail"]
        assert httpx.head(f"{url}/livez").status_code == 503
        skip_first_step(started)


def test_health_checks_succeed_before(with_copy: Settings) -> None:
    with servers.api_process(with_copy.model_copy(update={"drain_seconds": LONG})) as (url, started):
        assert {httpx.get(url + path).status_code for path in PATHS} == {200}
        started.kill()


def test_the_first_step_ends_by_itself_and_its_predictions_are_logged(with_copy: Settings) -> None:
    with servers.api_process(with_copy.model_copy(update={"drain_seconds": 1})) as (url, started):
        started.terminate()
        sent = httpx.post(f"{url}/predict", json=SETOSA).json()["prediction_id"]
        started.wait(timeout=20)
    with store_of(with_copy) as store:
        assert [row["id"] for row in logged(store)] == [sent]


def test_a_second_ctrl_c_skips_the_first_step_and_loses_nothing(with_copy: Settings) -> None:
    with draining(with_copy) as (url, started, _):
        sent = [httpx.post(f"{url}/predict", json=SETOSA).json()["prediction_id"] for _ in range(20)]
        skip_first_step(started)
    with store_of(with_copy) as store:
        assert sorted(row["id"] for row in logged(store)) == sorted(sent)


def test_several_workers_drain_together(with_copy: Settings) -> None:
    with fleet(with_copy.model_copy(update={"drain_seconds": LONG})) as started, ExitStack() as stack:
        workers, processes = started.workers(), started.processes()
        clients = [stack.enter_context(started.client_of(worker)) for worker in workers]
        started.supervisor.terminate()
        for client in clients:
            # Its connection is to this worker until the answer that says so.
            wait_for("the first step", lambda client=client: client.get("/livez").status_code == 503)  # type: ignore[misc]
        assert {httpx.post(f"{started.url}/predict", json=SETOSA).status_code for _ in range(20)} == {200}
        for worker in workers:
            worker.send_signal(signal.SIGINT)
        assert started.supervisor.wait(timeout=20) == 0
        wait_for("the end of all", lambda: not alive(processes), within=20)
    with store_of(with_copy) as store:
        assert log_size(store) == 20
