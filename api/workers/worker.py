"""One of several processes that serve the api on one socket."""

import gc
import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import uvicorn

from api.draining.server import DrainingServer
from api.workers.limit import SOCKET, SharedLimit

LOOK_SECONDS = 1.0
START_LOOK_SECONDS = 0.05
END_WITHIN = 30.0

logger = logging.getLogger(__name__)


def work(slot: int, listener: socket.socket, folder: Path, options: Mapping[str, Any], drain_seconds: float) -> None:
    """Serve requests of `listener` until SIGTERM, or until the supervisor is gone.

    `slot` numbers the workers of a service, `folder` is what they share, and `options` are uvicorn's.
    After SIGTERM it goes on for `drain_seconds`.
    """
    # Ctrl-C reaches all processes. Until uvicorn handles it here, only the supervisor acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format=f"%(asctime)s %(levelname)s worker {slot}, %(name)s: %(message)s")
    gc.disable()  # as in `api.serve`
    # The supervisor needs neither import. `api.api` comes first: its own application, which no worker serves, must not
    # count in the shared files.
    from api.api import create_app
    from api.workers.metrics import SharedMetrics

    metrics = SharedMetrics(folder, slot)
    app = create_app(rate_limit=SharedLimit(folder / SOCKET), metrics=metrics)
    server = DrainingServer(uvicorn.Config(app, **options), drain_seconds)
    arguments = (server, metrics.publish, ready_path(folder, slot))
    threading.Thread(target=_watch, args=arguments, name="watch", daemon=True).start()
    server.run(sockets=[listener])


def ready_path(folder: Path, slot: int) -> Path:
    """Return the file that exists while the worker in this slot is ready."""
    return folder / f"{slot}.ready"


def _watch(server: DrainingServer, publish: Callable[[], None], ready: Path) -> None:
    """Publish this worker's gauges while it serves; end it when its supervisor is gone."""
    supervisor = parent_process()
    while supervisor and supervisor.is_alive():
        if server.started:
            publish()
            with suppress(OSError):  # another worker, which saw the supervisor's end first, has removed the folder
                ready.touch()
        supervisor.join(LOOK_SECONDS if server.started else START_LOOK_SECONDS)
    logger.error("the supervisor is gone, so this worker ends")
    shutil.rmtree(ready.parent, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_WITHIN + server.seconds)
    os._exit(1)
