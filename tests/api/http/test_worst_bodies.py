"""The worst bodies that can be sent: others need not wait for them, and the service's memory does not run out."""

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.guards.body_guard import MAX_BODY_BYTES
from scripts.parts import wait_for
from tests import servers
from tests.api.inference.test_prediction_log import SETOSA
from tests.api.protocols.oip.test_routes import MODEL
from tests.api.routes.test_bad_requests import JSON, ROW
from tests.conftest import keep_copy, offline_settings, served_version

PAUSE_SECONDS = 0.1
TIMES_ITS_SIZE = 10
# A small body may cost as much as 10,000 rows do, which are 200 kB: 10 MB, with their answers and the log.
LEAST_BYTES = 16 * 2**20
# A busy machine makes everybody wait now and then: the service must do it in one of so many tries.
TRIES = 6
INFER, SELDON = f"{MODEL}/infer", "/api/v1.0"


def full(unit: str, before: str = "", after: str = "", size: int = MAX_BODY_BYTES) -> bytes:
    """Return as many of a unit, between two texts, as a body may hold."""
    room = size - len(before.encode()) - len(after.encode())
    return (before + unit * (room // len(unit.encode())) + after).encode()


def keys(before: str = "{", after: str = "}", count: int = 640_000) -> bytes:
    """Return an object of many keys, each another."""
    pairs = ",".join(f'"{number:06}":1' for number in range(count))
    return f"{before}{pairs}{after}".encode()


def rows(last: str, count: int = 10_000) -> bytes:
    """Return a batch whose last row is this."""
    return ('{"data":[' + f"{ROW}," * (count - 1) + last + "]}").encode()


def truths(count: int = 10_000) -> bytes:
    """Return so many rows, and the truth about each."""
    one_hot = ",".join(["[0,0,1]"] * count)
    return (
        f'{{"request":{{"data":{{"ndarray":{[ROW] * count}}}}},"truth":{{"data":{{"ndarray":[{one_hot}]}}}}}}'.encode()
    )


def tensor(data: str, rows: int = 1) -> str:
    return f'{{"name":"input","datatype":"FP64","shape":[{rows},4],"data":[{data}]}}'


GOOD, MANY = tensor("5.1,3.5,1.4,0.2"), tensor(",".join(["5.1,3.5,1.4,0.2"] * 10_000), 10_000)
# Halfway between two floats but for the last digit: the slowest to read.
SLOW_NUMBER = "1.00000000000000011102230246251565404236316680908203125" + "0" * 640 + "1"
SELDON_TENSOR = '"data":{"tensor":{"shape":[1,4],"values":['
FEEDBACK = f'{{"request":{{"data":{{"ndarray":[{ROW}]}}}},"truth":{{"data":{{"ndarray":['

# Path, and the function that makes the body: they would not all be in memory at once.
WORST: dict[str, tuple[str, Callable[[], bytes]]] = {
    "inference, keys": (INFER, keys),
    "inference, keys of an input": (INFER, lambda: keys('{"inputs":[{', "}]}")),
    "inference, keys of parameters": (INFER, lambda: keys(f'{{"inputs":[{GOOD}],"parameters":{{', "}}", 600_000)),
    "inference, inputs": (INFER, lambda: full(f"{GOOD},", '{"inputs":[', f"{GOOD}]}}")),
    "inference, outputs": (
        INFER,
        lambda: full('{"name":"label"},', f'{{"inputs":[{GOOD}],"outputs":[', '{"name":"label"}]}'),
    ),
    "inference, each output a thousand times": (
        INFER,
        lambda: full('{"name":"prediction_id"},', f'{{"inputs":[{MANY}],"outputs":[', '{"name":"label"}]}', 220_000),
    ),
    "inference, values": (INFER, lambda: full("1,", '{"inputs":[' + tensor("")[:-2], "1]}]}")),
    "inference, empty rows": (INFER, lambda: full("[],", '{"inputs":[' + tensor("")[:-2], "[]]}]}")),
    "inference, an id": (INFER, lambda: full("a", f'{{"inputs":[{GOOD}],"id":"\U0001f600', '"}')),
    "inference, slow numbers": (INFER, lambda: full(f"{SLOW_NUMBER},", '{"inputs":[' + tensor("")[:-2], "1]}]}")),
    "row, keys": ("/predict", keys),
    "row, one key again and again": ("/predict", lambda: full('"a":1,', "{", '"a":1}')),
    "row, a text": ("/predict", lambda: full("a", '{"sepal_length":"\U0001f600', '"}')),
    "row, a key": ("/predict", lambda: full("a", '{"\U0001f600', '":1}')),
    "row, escapes": ("/predict", lambda: full("\\u20ac", '{"sepal_length":"', '"}')),
    "row, empty lists that are no row": ("/predict", lambda: full("[],", '{"a":[', "[]]}", 60_000)),
    "row, keys of a small body": ("/predict", lambda: keys(count=5_900)),
    "row, nesting": ("/predict", lambda: full('{"a":')),
    "batch, empty rows": ("/predict", lambda: full("[],", '{"data":[', "[]]}")),
    "batch, empty objects": ("/predict", lambda: full("{},", '{"data":[', "{}]}")),
    "batch, one long row": ("/predict", lambda: full("1,", '{"data":[[', "1]]}")),
    "batch, the most values that are read": ("/predict", lambda: full("-9,", '{"data":[[', "1]]}", 1_400_000)),
    "batch, texts": ("/predict", lambda: full('"ab",', '{"data":[["', '"]]}')),
    "batch, the last row is wrong": ("/predict", lambda: rows('["x", "x", "x", "x"]')),
    "batch, every value is wrong": ("/predict", lambda: b'{"data":[%b]}' % b",".join([b'["x","x","x","x"]'] * 10_000)),
    "batch, keys beside it": ("/predict", lambda: keys(f'{{"data":[{ROW}],', "}")),
    "batch, a long key beside it": ("/predict", lambda: full("a", f'{{"data":[{ROW}],"\U0001f600', '":1}')),
    "batch, whole numbers of 4,000 digits": ("/predict", lambda: full("1" * 4_000 + ",", '{"data":[[', "1]]}")),
    "batch, slow numbers": (
        "/predict",
        lambda: full("[" + ",".join([SLOW_NUMBER] * 4) + "],", '{"data":[', f"{ROW}]}}"),
    ),
    "batch, blanks": ("/predict", lambda: full(" ", '{"data":[', f"{ROW}]}}")),
    "suggestion, keys": ("/suggest", keys),
    "suggestion, empty lists": ("/suggest", lambda: full("[],", '{"class_name":[', "[]]}")),
    "review, keys": ("/corrections/review", keys),
    "review, ids": ("/corrections/review", lambda: full('"a",', '{"decision":"approve","ids":[', '"a"]}', 1_000_000)),
    "review, a note": ("/corrections/review", lambda: full("a", '{"ids":["a"],"decision":"reject","note":"', '"}')),
    "feedback, keys": ("/feedback", keys),
    "feedback, a class": ("/feedback", lambda: full("a", '{"prediction_id":"\U0001f600', '"}')),
    "Seldon, empty rows": (f"{SELDON}/predictions", lambda: full("[],", '{"data":{"ndarray":[', "[]]}}")),
    "Seldon, keys": (f"{SELDON}/predictions", lambda: keys('{"data":{', "}}")),
    "Seldon, truths of no type": (f"{SELDON}/feedback", lambda: full("null,", f"{FEEDBACK}[", "0]]}}}")),
    "Seldon, truths of no class": (f"{SELDON}/feedback", lambda: full('"a",', FEEDBACK, "0]}}}", 1_500_000)),
    "Seldon, a tensor": (f"{SELDON}/predictions", lambda: full("1,", f"{{{SELDON_TENSOR}", "1]}}}")),
    "Seldon, the most values that are read": (
        f"{SELDON}/predictions",
        lambda: full("1,", f"{{{SELDON_TENSOR}", "1]}}}", 900_000),
    ),
    "Seldon, a tensor of truths": (
        f"{SELDON}/feedback",
        lambda: full(
            "1,", f'{{"request":{{"data":{{"ndarray":[{ROW}]}}}},"truth":{{{SELDON_TENSOR}', "1]}}}}", 900_000
        ),
    ),
    "Seldon, a tensor of as many rows as there may be": (
        f"{SELDON}/predictions",
        lambda: full("5.1,3.5,1.4,0.2,", f"{{{SELDON_TENSOR.replace('1,', '10000,')}", "5.1,3.5,1.4,0.2]}}}", 160_057),
    ),
    "batch, as many rows as there may be": ("/predict", lambda: rows(f"{ROW}")),
    "inference, as many rows as there may be": (INFER, lambda: full(" ", f'{{"inputs":[{MANY}]', "}", 400_000)),
    "Seldon, as many rows as there may be": (
        f"{SELDON}/predictions",
        lambda: full(f"{ROW},", '{"data":{"ndarray":[', f"{ROW}]}}}}", 200_000),
    ),
    "Seldon, as many truths as there may be": (f"{SELDON}/feedback", truths),
    "Seldon, one long truth": (f"{SELDON}/feedback", lambda: full('"a",', f"{FEEDBACK}[", "0]]}}}", 1_500_000)),
}


@dataclass
class Service:
    """A service in a process of its own."""

    host: str
    port: int
    pid: int

    def post(self, path: str, content: bytes, **headers: str) -> tuple[int, bytes]:
        """Return status and body of the answer; without httpx, whose work would hold up the other client here."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            connection.request("POST", path, content, JSON | headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def memory(self, name: str) -> int:
        """Return a figure of the process's memory, in bytes."""
        [line] = [line for line in self._status("status").read_text().splitlines() if line.startswith(name)]
        return int(line.split()[1]) * 1024

    def forget_peak(self) -> None:
        """Let the peak of the memory be that from now on."""
        self._status("clear_refs").write_text("5")

    def _status(self, name: str) -> Path:
        return Path(f"/proc/{self.pid}/{name}")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, bundle: bytes) -> Iterator[Service]:
    settings = offline_settings(tmp_path_factory.mktemp("worst"), prepared_data)
    keep_copy(settings, bundle)
    with servers.api_process(settings) as (url, process), httpx.Client(base_url=url) as client:
        wait_for("the copy", lambda: served_version(client))
        found = urlsplit(url)
        yield Service(found.hostname or "", found.port or 0, process.pid)


@dataclass(frozen=True)
class Cost:
    """Seconds that another client waited at most, and bytes that the service's memory grew by at most."""

    pause: float
    memory: int


def cost_of(service: Service, path: str, content: bytes, **headers: str) -> tuple[int, bytes, Cost]:
    """Send a body while another client asks without a pause; return the answer and its cost."""
    is_linux = sys.platform == "linux"
    if is_linux:
        service.forget_peak()
        before = service.memory("VmRSS")
    done, asking = threading.Event(), threading.Event()
    longest = 0.0

    def ask() -> None:
        nonlocal longest
        connection, sent = http.client.HTTPConnection(service.host, service.port, timeout=120), json.dumps(SETOSA)
        while not done.is_set():
            begin = time.perf_counter()
            connection.request("POST", "/predict", sent, JSON)
            assert connection.getresponse().read()
            longest = max(longest, time.perf_counter() - begin)
            asking.set()
        connection.close()

    other = threading.Thread(target=ask)
    other.start()
    assert asking.wait(60)
    longest = 0.0
    status, answer = service.post(path, content, **headers)
    done.set()
    other.join()
    return status, answer, Cost(longest, service.memory("VmHWM") - before if is_linux else 0)


@pytest.mark.parametrize("name", WORST)
def test_the_worst_bodies_keep_nobody_waiting_and_cost_little_memory(service: Service, name: str) -> None:
    path, make = WORST[name]
    content = make()
    assert len(content) <= MAX_BODY_BYTES
    most = max(TIMES_ITS_SIZE * len(content), LEAST_BYTES)
    costs: list[Cost] = []
    for _ in range(TRIES):
        status, answer, cost = cost_of(service, path, content)
        costs.append(cost)
        if min(each.pause for each in costs) <= PAUSE_SECONDS and min(each.memory for each in costs) <= most:
            break
    assert min(cost.pause for cost in costs) <= PAUSE_SECONDS, costs
    assert min(cost.memory for cost in costs) <= most, costs
    assert status < 500, answer[:300]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, memory has no peak that can be asked for")
def test_a_body_that_comes_in_the_smallest_pieces_costs_no_more(service: Service) -> None:
    whole = full(" ", '{"data":[', f"{ROW}]}}", 2**20)
    in_pieces = b"".join(b"2\r\n%b\r\n" % whole[start : start + 2] for start in range(0, len(whole), 2)) + b"0\r\n\r\n"
    costs = list[Cost]()
    for _ in range(TRIES):
        status, _, cost = cost_of(service, "/predict", in_pieces, **{"Transfer-Encoding": "chunked"})
        assert status == 200
        costs.append(cost)
    assert min(cost.memory for cost in costs) <= TIMES_ITS_SIZE * len(whole)
