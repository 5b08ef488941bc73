"""A load on a service: each of some connections repeats the same request as fast as the service answers.

wrk sends the requests, on a core of its own where the system can bind processes to cores.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from scripts.ports import HOST

SERVER, CLIENT = 0, 1  # core numbers
CONNECTIONS = 16
ANSWER_WITHIN = 30.0
JSON = {"content-type": "application/json"}
SCRIPT = Path(__file__).with_name("load.lua")
MISSING = "wrk, which sends the requests, is not installed: `apt-get install wrk` (Debian), `brew install wrk` (macOS)"


class LoadError(RuntimeError):
    """A request was not answered with 200, or wrk is not installed."""


@dataclass(frozen=True)
class Post:
    """The request that a load repeats."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


@dataclass(frozen=True)
class Measured:
    """The result of a load.

    Attributes:
        answers: the number of answers, all with status 200.
        seconds: the duration of the load.
        p50: the median latency in seconds.
        p99: the 99th percentile of the latency in seconds.
        busy: wrk's core seconds per second. Near 1, wrk is the bottleneck and the service was not measured.
        uncounted: the largest number of requests that the service may count and `answers` does not: the trial before
            the load, and one under way on each connection at its end.
    """

    answers: int
    seconds: float
    p50: float
    p99: float
    busy: float
    uncounted: int

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds


@contextlib.contextmanager
def on_core(number: int) -> Iterator[None]:
    """Bind this thread and the processes that it starts to one core, on Linux; elsewhere do nothing."""
    if sys.platform != "linux":
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def sender() -> str:
    """Return the path of wrk.

    Raises:
        LoadError: wrk is not installed; the message says how to install it.
    """
    if found := shutil.which("wrk"):
        return found
    raise LoadError(MISSING)


def put_load(port: int, path: str, body: bytes, seconds: float, connections: int = CONNECTIONS) -> Measured:
    """Send a load of JSON bodies, as `send` does."""
    return send(port, Post(path, body), seconds, connections)


def send(port: int, post: Post, seconds: float, connections: int = CONNECTIONS) -> Measured:
    """Send a request once as a trial, then again and again for some seconds, to a port of this machine.

    Raises:
        LoadError: a request was not answered with 200; after a failed trial the message holds the answer.
    """
    url, arguments = f"http://{HOST}:{port}{post.path}", [part for header in post.headers.items() for part in header]
    command = [
        *(sender(), "--threads", "1", "--connections", str(connections), "--timeout", f"{ANSWER_WITHIN:.0f}s"),
        *("--duration", f"{seconds + ANSWER_WITHIN:.0f}s", "--script", str(SCRIPT), url, "--", *arguments),
    ]
    _try(url, post)
    before = _seconds_of_children()
    with on_core(CLIENT):
        said = _run(command, post.body, seconds)
    return measured(said, _seconds_of_children() - before, uncounted=connections + 1)


def measured(said: str, core: float, uncounted: int) -> Measured:
    """Read the result from wrk's output; `core` are the core seconds that wrk used.

    Raises:
        LoadError: the output holds no result, or wrk reports failed requests.
    """
    try:
        found = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        raise LoadError(f"the output of wrk holds no result: {said!r}") from None
    if not found["answers"] or found["not_2xx"] or found["socket_errors"]:
        raise LoadError(f"not all requests were answered with 200: {found}")
    seconds, p50, p99 = (found[name] / 1e6 for name in ("microseconds", "p50", "p99"))
    return Measured(found["answers"], seconds, p50, p99, core / seconds, uncounted)


def _try(url: str, post: Post) -> None:
    try:
        answer = httpx.post(url, content=post.body, headers=dict(post.headers), timeout=ANSWER_WITHIN)
    except httpx.HTTPError as error:
        raise LoadError(f"{url} does not answer: {error}") from error
    if answer.status_code != httpx.codes.OK:
        raise LoadError(f"{url} answers {answer.status_code}: {answer.text[:1000]}")


def _run(command: list[str], body: bytes, seconds: float) -> str:
    """Interrupt wrk after some seconds and return its output. wrk's own durations are whole seconds."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as wrk:
        try:
            said, failed = wrk.communicate(body, timeout=seconds)
        except subprocess.TimeoutExpired:
            wrk.send_signal(signal.SIGINT)
            said, failed = wrk.communicate()
        except BaseException:
            wrk.kill()
            raise
    if wrk.returncode:
        raise LoadError(f"wrk ended with code {wrk.returncode}: {(failed or said).decode(errors='replace').strip()}")
    return said.decode()


def _seconds_of_children() -> float:
    """Return the core seconds of all ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
