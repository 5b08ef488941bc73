"""A lab in a temporary folder: prepared data, and real parts on free ports, each stopped whole at the end."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
from honcho.environ import parse_procfile

from common.settings import PROJECT, Settings
from scripts.ports import HOST
from scripts.stack import health_checks, log_path, process_environment

Found = TypeVar("Found")
TAIL = 2000  # characters of the output of a program that are shown when it fails


@contextmanager
def lab() -> Iterator[Settings]:
    """Yield the settings of a fresh lab with prepared data; nothing runs in it yet."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        home = Path(folder).resolve()
        mlflow, prefect, api = free_port(), free_port(), free_port()
        settings = Settings(
            lab_home=home,
            database_url=f"sqlite:///{home}/data/lab.db",
            mlflow_port=mlflow,
            prefect_port=prefect,
            api_port=api,
            mlflow_uri=f"http://{HOST}:{mlflow}",
            prefect_api_url=f"http://{HOST}:{prefect}/api",
        )
        python(settings, "-m", "scripts.get_data")
        python(settings, "preprocess.py")
        yield settings


def python(settings: Settings, *arguments: str) -> float:
    """Run a Python program of the project in the lab, to its end; return the seconds it took."""
    start = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT, env=process_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{(ended.stdout + ended.stderr)[-TAIL:]}")
    return time.perf_counter() - start


@contextmanager
def part(name: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the Procfile (mlflow, prefect, worker or api); yield it when it answers."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    command = parse_procfile((PROJECT / "Procfile").read_text(encoding="utf-8")).processes[name]
    with process(name, ["sh", "-c", f"exec {command}"], settings) as started:
        with httpx.Client(timeout=2.0) as http:
            wait_for(name, lambda: is_well(http, health_checks(settings)[name]), within=180.0)
        yield started


@contextmanager
def process(
    name: str, command: list[str], settings: Settings, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own, and stop all of that session at the end.

    When something fails meanwhile, the end of the command's output goes with the error.
    """
    log = log_path(settings, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        started = subprocess.Popen(
            command,
            cwd=PROJECT, env=process_environment(settings) | dict(variables or {}),
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield started
    except Exception as error:
        error.add_note(f"the end of the output of {name}:\n{log.read_text(errors='replace')[-TAIL:]}")
        raise
    finally:
        _stop(started)


def wait_for(what: str, look: Callable[[], Found | None], *, within: float, every: float = 0.05) -> Found:
    """Return what `look` finds (anything but None or False), asking until it does.

    A request that fails counts as nothing found: a busy server may need a moment.

    Raises:
        TimeoutError: it finds nothing within so many seconds; its cause is the last failure.
    """
    deadline = time.monotonic() + within
    failure: httpx.HTTPError | None = None
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except httpx.HTTPError as error:
            failure = error
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {within:.0f} s") from failure


def is_well(http: httpx.Client, address: str) -> bool:
    """Return whether somebody answers there, with a success."""
    try:
        return http.get(address).is_success
    except httpx.HTTPError:
        return False


def say(what: str) -> None:
    """Show what goes on, apart from the results."""
    print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def uvicorn(app: str, port: int) -> list[str]:
    """Return the command that serves an application in one process."""
    return [sys.executable, "-m", "uvicorn", app, "--host", HOST, "--port", str(port)]


def _stop(started: subprocess.Popen[bytes]) -> None:
    _signal(started, signal.SIGTERM)
    try:
        started.wait(timeout=30)
    except subprocess.TimeoutExpired:
        _signal(started, signal.SIGKILL)
        started.wait()


def _signal(started: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(started.pid, number)
