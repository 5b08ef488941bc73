"""Real servers for the tests: started on free ports, awaited by asking them, stopped whole."""

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx

from common.settings import PROJECT, Settings
from scripts.stack import process_environment

Found = TypeVar("Found")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(what: str, look: Callable[[], Found | None], within: float = 60.0) -> Found:
    """Return what `look` finds (anything but None or False), asking until it does."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {within} s"
        time.sleep(0.05)
    return found


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def process(
    command: list[str], log: Path, environment: Mapping[str, str], cwd: Path = PROJECT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own, its output in `log`; at the end all of that session is stopped."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, cwd=cwd, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield started
    finally:
        stop(started)


def stop(started: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Signal the whole session of a process, and see it end."""
    with suppress(ProcessLookupError):
        os.killpg(started.pid, how)
    try:
        started.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@contextmanager
def mlflow_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run an MLflow server with its state in `folder`; yield its address."""
    port = port or free_port()
    settings = Settings(mlflow_port=port, lab_home=folder)
    command = [
        f"{Path(sys.executable).parent}/mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    url = f"http://127.0.0.1:{port}"
    with process(command, folder / "mlflow.log", process_environment(settings)):
        wait_for(f"MLflow at {url} (see {folder}/mlflow.log)", lambda: answers(f"{url}/health"), within=120)
        yield url


@contextmanager
def relay(port: int, url: str) -> Iterator[None]:
    """Let the server at `url` be reached at a port too; before and afterwards it is down for whoever asks there."""
    behind = httpx.URL(url)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((behind.host, behind.port)) as server:
                back = threading.Thread(target=pump, args=(server, self.request))
                back.start()
                pump(self.request, server)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Connection, bind_and_activate=False) as listener:
        listener.allow_reuse_address = True
        listener.daemon_threads = True
        listener.block_on_close = False
        listener.server_bind()
        listener.server_activate()
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown()
            thread.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes until it ends."""
    with suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def prefect_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run a Prefect server with its state in `folder`; yield the address of its API."""
    port = port or free_port()
    settings = Settings(prefect_port=port, lab_home=folder)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    command = [f"{Path(sys.executable).parent}/prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    with process(command, folder / "prefect.log", process_environment(settings)):
        wait_for(f"Prefect at {url} (see {folder}/prefect.log)", lambda: answers(f"{url}/health"), within=120)
        yield url


@contextmanager
def worker(settings: Settings, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the fine-tuning worker, as `python finetune/finetune.py` does; yield its process when it serves."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    log = settings.state_dir / "worker.log"
    seen = log.stat().st_size if log.exists() else 0
    with process([sys.executable, "finetune/finetune.py"], log, {**part_environment(settings), **variables}) as started:
        wait_for(f"the worker (see {log})", lambda: b"serving finetune/finetune" in log.read_bytes()[seen:])
        yield started


@contextmanager
def api_process(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the api as a process of its own; yield its address and the process when it lives."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "api.api:app", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with process(command, settings.state_dir / "api.log", part_environment(settings)) as started:
        wait_for(f"the api (see {settings.state_dir}/api.log)", lambda: answers(f"{url}/livez"))
        yield url, started


def part_environment(settings: Settings) -> dict[str, str]:
    """Return the environment that makes a part run with exactly these settings."""
    return {
        **process_environment(settings),
        "MLFLOW_URI": settings.mlflow_uri,
        "PREFECT_API_URL": settings.prefect_api_url,
    }
