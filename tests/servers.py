"""Real servers for the tests, each with its state in a folder of the test's own."""

import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx

from common.settings import PROJECT, Settings
from scripts.parts import free_port, part, process, wait_for
from scripts.stack import log_path, process_environment

Server = TypeVar("Server", bound=socketserver.BaseServer)


def free_ports() -> dict[str, Any]:
    """Return free ports by the settings of a stack."""
    return {name: free_port() for name in ("mlflow_port", "prefect_port", "api_port", "monitor_port")}


@contextmanager
def mlflow_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run an MLflow server; yield its address."""
    port = port or free_port()
    settings = Settings(lab_home=folder, mlflow_port=port, mlflow_uri=f"http://127.0.0.1:{port}")
    with part("mlflow", settings):
        yield settings.mlflow_uri


@contextmanager
def s3_server(folder: Path, *buckets: str) -> Iterator[str]:
    """Run a server that speaks the protocol of S3 (moto, in memory), with some buckets; yield its address."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    with process(command, folder / "s3.log", os.environ):
        wait_for("the S3 server", lambda: httpx.get(address).is_success)
        for name in buckets:
            httpx.put(f"{address}/{name}").raise_for_status()
        yield address


@contextmanager
def prefect_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run a Prefect server; yield the address of its API."""
    port = port or free_port()
    settings = Settings(lab_home=folder, prefect_port=port, prefect_api_url=f"http://127.0.0.1:{port}/api")
    with part("prefect", settings):
        yield settings.prefect_api_url


@contextmanager
def worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run the fine-tuning worker, as `python finetune/finetune.py` does; yield its process when it serves.

    That its deployment exists, which `part` would wait for, may be an earlier test's doing.
    """
    log = log_path(settings, "worker")
    seen = log.stat().st_size if log.exists() else 0
    with process([sys.executable, "finetune/finetune.py"], log, process_environment(settings)) as started:
        wait_for("the worker", lambda: b"serving finetune/finetune" in log.read_bytes()[seen:])
        yield started


@contextmanager
def api_process(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the api as a process of its own; yield its address and the process when it lives."""
    on_free_port = settings.model_copy(update={"api_port": free_port()})
    with part("api", on_free_port) as started:
        yield f"http://127.0.0.1:{on_free_port.api_port}", started


@contextmanager
def dask_scheduler(folder: Path, **environment: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Dask scheduler, outside of the project; yield its address and its process when it listens."""
    port, log = free_port(), folder / "scheduler.log"
    options = f"--host 127.0.0.1 --port {port} --no-dashboard --dashboard-address 127.0.0.1:0"
    command = f"cd / && exec {sys.executable} -m dask scheduler {options}"
    with process(["sh", "-c", command], log, {**os.environ, **environment}) as started:
        wait_for("the scheduler", lambda: b"Scheduler at:" in log.read_bytes())
        yield f"tcp://127.0.0.1:{port}", started


@contextmanager
def dask_worker(
    address: str, folder: Path, start: str = f"cd {PROJECT} && exec {sys.executable} -m dask", **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Dask worker of one process and one thread, in the project's folder; yield its process when it is known."""
    log = folder / "worker.log"
    options = f"--host 127.0.0.1 --nthreads 1 --no-nanny --no-dashboard --local-directory {folder}"
    with process(["sh", "-c", f"{start} worker {address} {options}"], log, {**os.environ, **environment}) as started:
        wait_for("the worker", lambda: b"Starting established connection" in log.read_bytes())
        yield started


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

    class Listener(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        block_on_close = False

    with in_background(Listener(("127.0.0.1", port), Connection)):
        yield


class QuietHandler:
    """A part of a handler of HTTP requests: it logs none."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def in_background(server: Server) -> Iterator[Server]:
    """Let a server answer in a thread until the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes until it ends."""
    with suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
