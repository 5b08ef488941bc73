"""Requests as bytes on a socket: the fast path keeps to HTTP as uvicorn does."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.fastpath.uvicorn_protocol import FastPathProtocol
from common.bundle.model import OnnxModel
from common.settings import Settings
from scripts.parts import stop, wait_for
from tests import servers
from tests.api.fastpath.test_routes import BATCH, ROW, count
from tests.api.inference.test_prediction_log import log_size, store_of

BODY = json.dumps(ROW).encode()
HEALTH = b"GET /readyz HTTP/1.1\r\nhost: api\r\n\r\n"
# As curl and Java's client ask for HTTP/2.
UPGRADE = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__")
OK = b"HTTP/1.1 200 OK"


def request(*headers: str, body: bytes = BODY, first: str = "POST /predict HTTP/1.1") -> bytes:
    lines = [first, "host: api", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Wire:
    """A connection, on which bytes are sent and answers are read: status line, headers and body of each."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.file = connection.makefile("rb")

    def send(self, content: bytes) -> None:
        self.connection.sendall(content)

    def answer(self) -> tuple[bytes, dict[str, str], bytes]:
        status, headers = self.file.readline().strip(), {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name] = value
        return status, headers, self.file.read(int(headers.get("content-length", 0)))


@contextmanager
def connected(api: httpx.Client) -> Iterator[Wire]:
    address = (api.base_url.host, api.base_url.port or 80)
    with socket.create_connection(address, timeout=20) as connection, connection.makefile("rb"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(connection)
        yield wire
        wire.file.close()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of the answers that the fast path sends from now on."""
    found: list[bytes] = []
    send = FastPathProtocol._send

    def note(protocol: FastPathProtocol, request: Any, content: bytes, headers: bytes) -> None:
        found.append(content)
        send(protocol, request, content, headers)

    monkeypatch.setattr(FastPathProtocol, "_send", note)
    return found


def test_a_plain_row_is_answered_on_the_fast_path_with_the_headers_of_every_answer(
    lone_api: httpx.Client, fast: list[bytes]
) -> None:
    with connected(lone_api) as wire:
        wire.send(request())
        status, headers, body = wire.answer()
    route = lone_api.post("/predict", content=BODY, headers={"content-type": "application/json; charset=utf-8"})
    assert fast == [body]
    assert status == OK
    assert headers.keys() == dict(route.headers).keys()
    assert (headers["content-type"], headers["server"]) == ("application/json", route.headers["server"])
    assert json.loads(body)["class_name"] == route.json()["class_name"]


def test_the_connection_stays_or_goes_as_the_client_wants(lone_api: httpx.Client, fast: list[bytes]) -> None:
    with connected(lone_api) as wire:
        for more in ([], [], ["connection: close"]):
            wire.send(request(*more))
            status, headers, _ = wire.answer()
            assert status == OK
            assert ("connection" in headers) == bool(more)
        assert wire.file.read() == b""
    assert len(fast) == 3


def test_requests_that_come_at_once_are_answered_in_their_order(lone_api: httpx.Client, fast: list[bytes]) -> None:
    sent = [request(f"x-request-id: {number}") for number in range(4)]
    order = [sent[0], HEALTH, sent[1], sent[2], request(body=b"{}"), request(body=b'{"data": [[1]]}'), sent[3]]
    with connected(lone_api) as wire:
        wire.send(b"".join(order))
        found = [wire.answer() for _ in order]
    assert [int(status.split()[1]) for status, _, _ in found] == [200, 200, 200, 200, 422, 422, 200]
    assert [found[place][1]["x-request-id"] for place in (0, 2, 3, 6)] == ["0", "1", "2", "3"]
    assert fast


@pytest.mark.parametrize(
    "sent",
    [
        request(first="POST /predict HTTP/1.0"),
        request(first="POST /predict?version=1 HTTP/1.1"),
        request(first="POST http://here/predict HTTP/1.1"),
    ],
    ids=["of HTTP 1.0", "with a query", "with a whole address"],
)
def test_a_request_in_another_form_is_answered_by_the_route(
    lone_api: httpx.Client, fast: list[bytes], sent: bytes
) -> None:
    with connected(lone_api) as wire:
        wire.send(sent)
        status, _, body = wire.answer()
    assert status == OK
    assert json.loads(body)["class_name"] == "Iris-setosa"
    assert fast == []


def test_a_client_that_expects_100_continue_gets_it(lone_api: httpx.Client, fast: list[bytes]) -> None:
    head, body = request("expect: 100-continue").split(b"\r\n\r\n")
    with connected(lone_api) as wire:
        wire.send(head + b"\r\n\r\n")
        assert wire.answer()[0] == b"HTTP/1.1 100 Continue"
        wire.send(body)
        assert wire.answer()[0] == OK
    assert fast == []


def test_a_request_that_comes_byte_by_byte_is_answered_alike(lone_api: httpx.Client, fast: list[bytes]) -> None:
    with connected(lone_api) as wire:
        for byte in request():
            wire.send(bytes([byte]))
        assert json.loads(wire.answer()[2])["class_name"] == "Iris-setosa"
    assert len(fast) == 1


def test_a_client_that_goes_before_its_answer_is_counted_and_harms_nobody(
    lone_api: httpx.Client, monkeypatch: pytest.MonkeyPatch, fast: list[bytes]
) -> None:
    begun, go_on, gone = threading.Event(), threading.Event(), threading.Event()
    predict, lost = OnnxModel.predict, FastPathProtocol.connection_lost

    def slow(model: OnnxModel, X: Any) -> Any:
        begun.set()
        assert go_on.wait(10)
        return predict(model, X)

    def losing(protocol: FastPathProtocol, error: Exception | None) -> None:
        lost(protocol, error)
        gone.set()

    def requests() -> float:
        return count(lone_api, "http_requests_total", handler="/predict")

    before = requests()
    monkeypatch.setattr(OnnxModel, "predict", slow)
    monkeypatch.setattr(FastPathProtocol, "connection_lost", losing)
    with connected(lone_api) as wire:
        wire.send(request(body=json.dumps({"data": [list(ROW.values())] * 5000}).encode()))
        assert begun.wait(10)
        # A reset: one that only closes might still wait for the answer.
        wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert gone.wait(10)
    go_on.set()
    wait_for("the count", lambda: requests() == before + 1)
    assert fast == []
    assert lone_api.post("/predict", json=ROW).is_success


def test_rows_on_which_the_fast_path_fails_are_answered_by_the_route_in_their_order(
    lone_api: httpx.Client, monkeypatch: pytest.MonkeyPatch, fast: list[bytes]
) -> None:
    predict = OnnxModel.predict

    def failing(model: OnnxModel, X: Any) -> Any:  # noqa: ARG001  # it is called so
        monkeypatch.setattr(OnnxModel, "predict", predict)
        raise RuntimeError("once")

    monkeypatch.setattr(OnnxModel, "predict", failing)
    with connected(lone_api) as wire:
        wire.send(request("x-request-id: a") + request("x-request-id: b"))
        found = [wire.answer() for _ in range(2)]
    assert [status for status, _, _ in found] == [OK] * 2
    assert [headers["x-request-id"] for _, headers, _ in found] == ["a", "b"]
    assert fast == []


def test_a_service_that_stops_answers_the_requests_that_it_has_begun_and_logs_them(with_copy: Settings) -> None:
    head, body = request().split(b"\r\n\r\n")
    with servers.api_process(with_copy) as (url, process), httpx.Client(base_url=url) as api:
        api.get("/readyz")
        with connected(api) as wire:
            wire.send(head + b"\r\n\r\n" + body[:10])
            assert api.get("/readyz").is_success  # by now the service has read the beginning
            ending = threading.Thread(target=stop, args=[process])
            ending.start()
            wire.send(body[10:])
            status, _, answer = wire.answer()
            ending.join()
    assert (status, json.loads(answer)["class_name"]) == (OK, "Iris-setosa")
    with store_of(with_copy) as store:
        assert log_size(store) == 1


def test_a_refused_request_is_counted_once(lone_api: httpx.Client) -> None:
    before = count(lone_api, "http_requests_total", handler="/predict")
    with connected(lone_api) as wire:
        wire.send(request(body=b"{}") + request())
        assert [wire.answer()[0].split()[1] for _ in range(2)] == [b"422", b"200"]
    assert count(lone_api, "http_requests_total", handler="/predict") == before + 2


def test_a_client_that_asks_for_another_protocol_is_answered_by_this_one(
    lone_api: httpx.Client, fast: list[bytes]
) -> None:
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    chunked = request(*UPGRADE, body=b"").replace(b"content-length: 0", b"transfer-encoding: chunked") + chunks
    websocket = b"GET /livez HTTP/1.1\r\nhost: api\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    feedback = request(*UPGRADE, first="POST /feedback HTTP/1.1")
    with connected(lone_api) as wire:
        wire.send(b"".join([request(*UPGRADE), chunked, websocket, feedback, request()]))
        found = [wire.answer() for _ in range(5)]
    assert [int(status.split()[1]) for status, _, _ in found] == [200, 200, 200, 422, 200]
    assert [json.loads(found[place][2])["class_name"] for place in (0, 1, 4)] == ["Iris-setosa"] * 3
    assert fast


def test_a_request_for_another_protocol_may_come_byte_by_byte(lone_api: httpx.Client) -> None:
    with connected(lone_api) as wire:
        for byte in request(*UPGRADE):
            wire.send(bytes([byte]))
        assert json.loads(wire.answer()[2])["class_name"] == "Iris-setosa"


def test_a_tunnel_is_refused(lone_api: httpx.Client) -> None:
    with connected(lone_api) as wire:
        wire.send(b"CONNECT here:80 HTTP/1.1\r\nhost: api\r\n\r\n")
        assert wire.answer()[0].split()[1].startswith(b"4")
        assert wire.file.read() == b""


@pytest.mark.parametrize(
    "sent",
    [[request()], [HEALTH], [request(body=json.dumps(BATCH).encode())], [request(), HEALTH, request()]],
    ids=["a row", "a probe", "a batch", "several"],
)
def test_a_client_that_has_said_all_is_answered_and_then_left(lone_api: httpx.Client, sent: list[bytes]) -> None:
    for _ in range(20):
        with connected(lone_api) as wire:
            wire.send(b"".join(sent))
            wire.connection.shutdown(socket.SHUT_WR)
            assert [wire.answer()[0] for _ in sent] == [OK] * len(sent)
            assert wire.file.read() == b""


def test_a_client_that_ends_in_the_middle_of_a_request_is_left(lone_api: httpx.Client) -> None:
    for length in (1, 40, len(request()) - 1):
        with connected(lone_api) as wire:
            wire.send(request()[:length])
            wire.connection.shutdown(socket.SHUT_WR)
            assert wire.file.read() == b""
