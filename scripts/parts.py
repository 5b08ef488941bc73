"""Single parts of the stack, and any other program, started on their own: what benchmarks and tests are made of."""

import os
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
from scripts.stack import health_checks, log_path, process_environment

Found = TypeVar("Found")
READY_WITHIN = 180.0
END_WITHIN = 15.0
TAIL = 2000  # characters of a program's output that go with an error


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(what: str, look: Callable[[], Found | None], within: float = 60.0, every: float = 0.05) -> Found:
    """Return what `look` finds (anything but None, False or nothing), asking until it does.

    A request that fails counts as nothing found: a busy server may need a moment.

    Raises:
        TimeoutError: it finds nothing within so many seconds; its cause is the last failure.
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
            raise TimeoutError(f"{what}: not within {within:.0f} s") from failure
        time.sleep(every)


def answers(address: str) -> bool:
    """Return whether somebody answers there, with a success."""
    try:
        return httpx.get(address, timeout=2.0).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def process(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own, its output in `log`; at the end all of that session is stopped.

    When something fails meanwhile, the end of the command's output goes with the error.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, cwd=PROJECT, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield started
    except Exception as error:
        error.add_note(f"the end of {log}:\n{log.read_text(errors='replace')[-TAIL:]}")
        raise
    finally:
        stop(started)


def stop(started: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Signal the whole session of a process, and see it end, if need be by force."""
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
