"""Starts the workers, replaces a worker that ends, and ends all of them together."""

import asyncio
import logging
import signal
import socket
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client.multiprocess import mark_process_dead

from api.guards.rate_limit import RateLimit
from api.workers.limit import SOCKET, serve_limit
from api.workers.worker import END_WITHIN, ready_path, work
from common.settings import Settings

PAUSE_SECONDS = 5.0  # before the successor of a worker that ended before it was ready

logger = logging.getLogger(__name__)


def supervise(settings: Settings, host: str, port: int, options: Mapping[str, Any]) -> int:
    """Serve the api in API_WORKERS processes until SIGTERM or SIGINT; return the exit code.

    `options` are uvicorn's, for each worker.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    with (
        tempfile.TemporaryDirectory(prefix="api-workers-", ignore_cleanup_errors=True) as folder,
        uvicorn.Config("", host=host, port=port).bind_socket() as listener,
    ):
        return asyncio.run(Supervisor(settings, listener, Path(folder), options).run())


class Supervisor:
    """Keeps a worker running in every slot."""

    def __init__(self, settings: Settings, listener: socket.socket, folder: Path, options: Mapping[str, Any]) -> None:
        """Let the workers serve requests of `listener` and share `folder`; `options` are uvicorn's."""
        self._settings = settings
        self._listener = listener
        self._folder = folder
        self._options = options

    async def run(self) -> int:
        """Return 0 after SIGTERM or SIGINT; if no worker can serve, return the exit code of the last."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        stopped = asyncio.create_task(stop.wait())
        async with await serve_limit(RateLimit(self._settings.suggest_rate), self._folder / SOCKET):
            slots = [asyncio.create_task(self._fill(slot)) for slot in range(self._settings.api_workers)]
            ended, _ = await asyncio.wait([stopped, *slots], return_when=asyncio.FIRST_COMPLETED)
            for slot in slots:
                slot.cancel()
            await asyncio.wait(slots)
        return 0 if stopped in ended else max(slot.result() for slot in slots if slot in ended)

    async def _fill(self, slot: int) -> int:
        """Run one worker after the other in a slot; return an exit code once no worker of the service can serve."""
        while True:
            code = await self._run_worker(slot)
            logger.error("worker %d ended with code %d", slot, code)
            mark_process_dead(slot, self._folder)  # type: ignore[no-untyped-call]
            ready = ready_path(self._folder, slot)
            if ready.exists():
                ready.unlink()
            elif any(self._folder.glob(f"*{ready.suffix}")):
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return code

    async def _run_worker(self, slot: int) -> int:
        """Return the exit code of a worker that has ended by itself; end it when this task is cancelled."""
        # A fresh interpreter: a forked one would have the locks of this process's threads, but not the threads.
        drain_seconds = self._settings.drain_seconds
        arguments = (slot, self._listener, self._folder, self._options, drain_seconds)
        worker = get_context("spawn").Process(target=work, args=arguments)
        worker.start()
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(worker.sentinel, ended.set)
        try:
            await ended.wait()
        except asyncio.CancelledError:
            worker.terminate()
            try:
                await asyncio.wait_for(ended.wait(), END_WITHIN + drain_seconds)
            except TimeoutError:
                logger.error("worker %d has not ended within %.0f s and is killed", slot, END_WITHIN + drain_seconds)
                worker.kill()
            raise
        finally:
            loop.remove_reader(worker.sentinel)
            worker.join()
        code = worker.exitcode or 0
        return 128 - code if code < 0 else code
