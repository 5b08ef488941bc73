"""As many requests as a service answers: some connections, on each one request at a time, always the same.

`put_load` runs it as a process of its own, so that what sends takes nothing from what answers. It does as little as it
can for a request, since it must be faster than whatever it measures: it knows no HTTP beyond what uvicorn answers.
"""

import array
import asyncio
import contextlib
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import uvloop

from common.settings import PROJECT
from scripts.ports import HOST

SERVER, CLIENT = 0, 1  # which of the cores is whose
CONNECTIONS = 16
ANSWER_WITHIN = 30.0
OK = b"HTTP/1.1 200 "
BLANK_LINE = b"\r\n\r\n"
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class LoadError(RuntimeError):
    """A request was not answered, or not with 200."""


@dataclass(frozen=True)
class Measured:
    """What came of a load. Latencies are in seconds; `busy` is the share of the time that sending took a core.

    A `busy` near 1 means that not the service was measured, but what sends.
    """

    answers: int
    seconds: float
    p50: float
    p99: float
    busy: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds


@contextlib.contextmanager
def on_core(number: int) -> Iterator[None]:
    """Run this thread, and the processes that it starts, on one core; where the system cannot do that, on any."""
    if sys.platform != "linux":
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def put_load(port: int, path: str, body: bytes, seconds: float, connections: int = CONNECTIONS) -> Measured:
    """Send requests to this machine's `port` for some seconds, from a process on a core of its own.

    Raises:
        LoadError: a request was not answered with 200; the message has the answer.
    """
    command = [sys.executable, "-m", "benchmarks.http_load", str(port), path, str(seconds), str(connections)]
    with on_core(CLIENT):
        ended = subprocess.run(command, cwd=PROJECT, input=body, capture_output=True, check=False)
    if ended.returncode:
        raise LoadError(ended.stderr.decode(errors="replace").strip())
    return Measured(**json.loads(ended.stdout))


class _Load:
    """The clock and the results that the connections share."""

    def __init__(self, request: bytes, seconds: float) -> None:
        self.request = request
        self.latencies = array.array("d")
        self.start = time.perf_counter()
        self.end = self.start + seconds


class _Connection(asyncio.Protocol):
    """One connection: sends a request, waits for the whole answer, sends the next. `over` is set at the end."""

    def __init__(self, load: _Load, over: asyncio.Future[None]) -> None:
        self._load = load
        self._over = over
        self._got = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # TCP's can be written to
        self._send()

    def data_received(self, data: bytes) -> None:
        self._got += data
        size = answer_size(self._got)
        if size is None:
            self._fail(f"expected an answer with 200 and its length, got: {self._got[:1000]!r}")
        elif len(self._got) >= size > 0:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was closed: {exc}")

    def _send(self) -> None:
        self._got = b""
        self._sent = time.perf_counter()
        self._transport.write(self._load.request)

    def _answered(self) -> None:
        now = time.perf_counter()
        self._load.latencies.append(now - self._sent)
        if now < self._load.end:
            self._send()
        elif not self._over.done():
            self._over.set_result(None)

    def _fail(self, why: str) -> None:
        if not self._over.done():
            self._over.set_exception(LoadError(why))


def answer_size(got: bytes) -> int | None:
    """Return the bytes of the whole answer that begins like this; 0 if its head is not all there yet.

    None means that it is no answer with 200 whose length is told.
    """
    if not got.startswith(OK[: len(got)]):
        return None
    end = got.find(BLANK_LINE)
    if end < 0:
        return 0
    length = LENGTH.search(got, 0, end)
    return end + len(BLANK_LINE) + int(length[1]) if length else None


def request(path: str, body: bytes) -> bytes:
    """Return a request with a JSON body."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + BLANK_LINE + body


async def send(port: int, message: bytes, seconds: float, connections: int) -> Measured:
    """Send `message` again and again for some seconds; return what came of it.

    Raises:
        LoadError: as `put_load` does.
    """
    loop, load, cpu = asyncio.get_running_loop(), _Load(message, seconds), time.process_time()
    ends = [loop.create_future() for _ in range(connections)]
    opened = [await loop.create_connection(lambda over=over: _Connection(load, over), HOST, port) for over in ends]  # type: ignore[misc]  # a lambda with a default has no type
    try:
        async with asyncio.timeout(seconds + ANSWER_WITHIN):
            await asyncio.gather(*ends)
    except TimeoutError:
        raise LoadError(f"a request has no answer after {ANSWER_WITHIN:.0f} s") from None
    elapsed, cpu = time.perf_counter() - load.start, time.process_time() - cpu
    for transport, _ in opened:
        transport.abort()
    p50, p99 = np.percentile(load.latencies, (50, 99)).tolist()
    return Measured(len(load.latencies), elapsed, p50, p99, cpu / elapsed)


def main(arguments: Sequence[str]) -> None:
    """Put a load of the body on standard input on PORT PATH, for SECONDS, over so many CONNECTIONS."""
    port, path, seconds, connections = arguments
    gc.disable()  # nothing here makes cycles, and a pause would be measured as the service's
    body = sys.stdin.buffer.read()
    try:
        found = uvloop.run(send(int(port), request(path, body), float(seconds), int(connections)))
    except (LoadError, OSError) as error:
        sys.exit(f"{error}")
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
