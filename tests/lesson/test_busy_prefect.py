"""Prefect answers 503 while its SQLite is busy, which nobody can bring about at will: a server that answers so."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from lesson.grading.prefect_server import FlowServer
from tests.lesson.conftest import SOLUTION
from tests.programs import run_python


class BusyPrefect(ThreadingHTTPServer):
    """A server that answers 503 to every request when it comes for the first time; it keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.seen: list[tuple[str, bytes]] = []


class Answers(BaseHTTPRequestHandler):
    server: BusyPrefect

    def do_GET(self) -> None:
        self.answer({"id": "one"})

    def do_POST(self) -> None:
        self.answer([{"id": "run", "name": "deployment", "state_type": "COMPLETED"}])

    def answer(self, content: object) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = self.path in [path for path, _ in self.server.seen]
        self.server.seen.append((self.path, body))
        self.send_response(200 if known else 503)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def busy() -> Iterator[BusyPrefect]:
    with BusyPrefect() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(server: BusyPrefect) -> str:
    return f"http://127.0.0.1:{server.server_port}/api"


def test_the_grader_asks_a_busy_prefect_again(busy: BusyPrefect) -> None:
    flows = FlowServer(address(busy))
    assert flows.deployments() == ["deployment"]
    assert flows.flow_runs() == [], "the run was there before"
    assert [path for path, _ in busy.seen] == [
        "/api/flow_runs/filter",
        "/api/flow_runs/filter",
        "/api/deployments/filter",
        "/api/deployments/filter",
        "/api/flow_runs/filter",
    ]


def test_the_grader_gives_up_on_a_prefect_that_stays_busy(monkeypatch: pytest.MonkeyPatch, busy: BusyPrefect) -> None:
    monkeypatch.setattr("lesson.grading.prefect_server.BUSY_WAITS", (0.0,))
    with pytest.raises(httpx.HTTPStatusError, match="503"):
        FlowServer(address(busy))


def test_the_solution_starts_its_flow_once_although_prefect_is_busy(busy: BusyPrefect) -> None:
    environment = {**os.environ, "PREFECT_API_URL": address(busy), "PYTHONPATH": str(SOLUTION)}
    ended = run_python("-c", "from api.api import learn; learn()", environment=environment, folder=SOLUTION)
    assert not ended.returncode, ended.stderr
    bodies = [json.loads(body) for path, body in busy.seen if path == "/api/deployments/one/create_flow_run"]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert bodies[0]["idempotency_key"]
