"""Starts the workers, puts another in the place of one that ends, and ends them all together."""

import logging
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import uvicorn

from api.http.rate import RateLimit
from api.workers import limit
from api.workers.shared import gauges_path
from api.workers.worker import END_WITHIN, work
from common.settings import Settings

PAUSE_SECONDS = 5.0  # before a place is filled again whose worker did not even start

logger = logging.getLogger(__name__)


def supervise(settings: Settings, host: str, port: int) -> int:
    """Serve the api in as many processes as the settings say, until SIGTERM or SIGINT; return the exit code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    with (
        tempfile.TemporaryDirectory(prefix="api-workers-", ignore_cleanup_errors=True) as name,
        uvicorn.Config("", host=host, port=port).bind_socket() as listener,
    ):
        folder = Path(name)
        limit.answer(RateLimit(settings.suggest_rate), folder / limit.SOCKET)
        return Supervisor(settings.api_workers, listener, folder).run()


class Supervisor:
    """Keeps every place filled with a worker, from `run` until it is told to stop."""

    def __init__(self, count: int, listener: socket.socket, folder: Path) -> None:
        """Let `count` workers answer on `listener`, and share `folder`."""
        self._listener = listener
        self._folder = folder
        self._workers: dict[int, BaseProcess] = {}
        self._due = dict.fromkeys(range(count), 0.0)  # the places to be filled, and not before when

    def run(self) -> int:
        """Return 0 when told to stop; else, when none of them can serve, the exit code of the last."""
        with _told_to_stop() as told:
            try:
                while True:
                    self._fill()
                    ready = wait([told, *(worker.sentinel for worker in self._workers.values())], self._seconds_left())
                    if told in ready:
                        return 0
                    for slot, worker in list(self._workers.items()):
                        if worker.sentinel in ready and not self._go_on_without(slot):
                            return _exit_code(worker)
            finally:
                self._end()

    def _fill(self) -> None:
        for slot in [slot for slot, due in self._due.items() if due <= time.monotonic()]:
            del self._due[slot]
            # A fresh interpreter: one that is copied would have this one's threads half.
            worker = get_context("spawn").Process(target=work, args=(slot, self._listener, self._folder))
            worker.start()
            self._workers[slot] = worker

    def _seconds_left(self) -> float | None:
        return max(min(self._due.values()) - time.monotonic(), 0.0) if self._due else None

    def _go_on_without(self, slot: int) -> bool:
        """Make a place free whose worker has ended; return whether there is hope for the service."""
        worker = self._workers.pop(slot)
        worker.join()
        served = gauges_path(self._folder, slot).exists()
        gauges_path(self._folder, slot).unlink(missing_ok=True)
        logger.error("worker %d ended with code %d", slot, _exit_code(worker))
        self._due[slot] = time.monotonic() + (0.0 if served else PAUSE_SECONDS)
        return served or any(gauges_path(self._folder, other).exists() for other in self._workers)

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.terminate()
        deadline = time.monotonic() + END_WITHIN
        for slot, worker in self._workers.items():
            worker.join(max(deadline - time.monotonic(), 0.0))
            if worker.is_alive():
                logger.error("worker %d does not end, and is killed", slot)
                worker.kill()
                worker.join()


def _exit_code(worker: BaseProcess) -> int:
    code = worker.exitcode or 0
    return 128 - code if code < 0 else code


@contextmanager
def _told_to_stop() -> Iterator[socket.socket]:
    """Yield a socket on which something is to be read once SIGTERM or SIGINT has come."""
    told, tell = socket.socketpair()
    tell.setblocking(False)  # noqa: FBT003  # the library's signature
    with told, tell:
        before = {number: signal.signal(number, _heard) for number in (signal.SIGTERM, signal.SIGINT)}
        signal.set_wakeup_fd(tell.fileno())
        try:
            yield told
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)


def _heard(*_: object) -> None:
    """Do nothing: that Python has a handler is what makes it write to the socket."""
