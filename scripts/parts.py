"""Start one part of the stack, or any other program, and wait for it; benchmarks and tests use this."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
from honcho.environ import parse_procfile

from common.settings import PROJECT, Settings
from scripts.ports import HOST
from scripts.stack import answers, health_checks, log_path, process_environment

__all__ = ["answers", "free_port", "part", "process", "stop", "wait_for"]

Found = TypeVar("Found")
READY_WITHIN = 180.0
END_WITHIN = 15.0
# Linux gives ports from 32 768 on to connections, other systems higher ones; below 20 000 are many known servers.
NEVER_GIVEN = range(20_000, 32_000)
TAIL = 2000  # characters of a program's output in the note of an error


def free_port() -> int:
    """Return a free port that no system gives to a connection by itself, so that it is still free a moment later."""
    while True:
        port = random.SystemRandom().choice(NEVER_GIVEN)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def wait_for(name: str, look: Callable[[], Found | None], within: float = 60.0, every: float = 0.05) -> Found:
    """Call `look` until it returns something true, and return that.

    An HTTP error in `look` counts as nothing found, because a busy server may need a moment.

    Raises:
        TimeoutError: `look` found nothing in `within` seconds; the cause is the last HTTP error.
    """
    deadline = time.monotonic() + within
    failure: httpx.HTTPError | None = None
    while True:
        try:
            if found := look():
                return found
        except httpx.HTTPError as error:
            failure = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name}: not within {within:.0f} s") from failure
        time.sleep(every)


@contextmanager
def process(
    command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path = PROJECT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own, with its output in `log`; stop the whole session at the end.

    An error raised meanwhile gets the end of the command's output as a note.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield started
    except Exception as error:
        error.add_note(f"the end of {log}:\n{log.read_text(errors='replace')[-TAIL:]}")
        raise
    finally:
        stop(started)


def stop(started: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal to the session of a process, wait for its end, and kill it after 15 s."""
    _signal(started, how)
    try:
        started.wait(timeout=END_WITHIN)
    except subprocess.TimeoutExpired:
        _signal(started, signal.SIGKILL)
        started.wait()


@contextmanager
def part(name: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run one process of the Procfile (mlflow, prefect, worker or api); yield it when it answers."""
    command = parse_procfile((PROJECT / "Procfile").read_text(encoding="utf-8")).processes[name]
    with process(["sh", "-c", f"exec {command}"], log_path(settings, name), process_environment(settings)) as started:

        def ready() -> bool:
            if started.poll() is not None:
                raise ChildProcessError(f"{name} ended with code {started.returncode} before it was ready")
            return answers(health_checks(settings)[name])

        wait_for(name, ready, READY_WITHIN)
        yield started


def _signal(started: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(started.pid, number)
