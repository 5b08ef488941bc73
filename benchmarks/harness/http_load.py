"""As many requests as a service answers: some connections, on each one request at a time, always the same.

wrk sends them, from a core of its own where the system can bind processes to cores.
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

SERVER, CLIENT = 0, 1  # which of the cores is whose
CONNECTIONS = 16
ANSWER_WITHIN = 30.0
JSON = {"content-type": "application/json"}
SCRIPT = Path(__file__).with_name("load.lua")
MISSING = "wrk, which sends the requests, is not installed: `apt-get install wrk` (Debian), `brew install wrk` (macOS)"


class LoadError(RuntimeError):
    """A request was not answered, or not with 200; or there is nothing to send it with."""


@dataclass(frozen=True)
class Post:
    """A request that is always the same."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


@dataclass(frozen=True)
class Measured:
    """What came of a load. Latencies are in seconds; `busy` is the share of the time that sending took a core.

    A `busy` near 1 means that not the service was measured, but what sends. `uncounted` are at most the requests that
    are no part of it: the first, which was a trial, and one for each connection, under way when it ended.
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


def sender() -> str:
    """Return the path of wrk.

    Raises:
        LoadError: it is not installed; the message says how to.
    """
    if found := shutil.which("wrk"):
        return found
    raise LoadError(MISSING)


def put_load(port: int, path: str, body: bytes, seconds: float, connections: int = CONNECTIONS) -> Measured:
    """Send a body of JSON as `send` does."""
    return send(port, Post(path, body), seconds, connections)


def send(port: int, post: Post, seconds: float, connections: int = CONNECTIONS) -> Measured:
    """Send a request to this machine's `port` for some seconds, again and again, after trying it once.

    Raises:
        LoadError: a request was not answered with 200; the message has the answer, if it was the first.
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
    """Return what wrk has said at its end, having taken a core for so many seconds.

    Raises:
        LoadError: it has said nothing, or that requests have failed.
    """
    try:
        found = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        raise LoadError(f"wrk has not said what came of the load: {said!r}") from None
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
    """Return what wrk prints when it is interrupted after so long: its own durations are whole seconds."""
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
    """Return the seconds of a core that the processes have taken which this one has started, and which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
