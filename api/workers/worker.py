"""One of several processes that serve the api."""

import logging
import os
import shutil
import signal
import socket
import threading
import time
from multiprocessing import parent_process
from pathlib import Path

import uvicorn

from api.serve import OPTIONS, start_lightly
from api.workers.shared import Shared

BEAT_SECONDS = 1.0
START_BEAT_SECONDS = 0.05
END_WITHIN = 30.0

logger = logging.getLogger(__name__)


def work(slot: int, listener: socket.socket, folder: Path) -> None:
    """Answer what comes in on a socket, as others do, until SIGTERM comes or whoever supervises is gone."""
    # Until uvicorn takes it, Ctrl-C is for the supervisor alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format=f"%(asctime)s %(levelname)s worker {slot}, %(name)s: %(message)s")
    shared = Shared(folder, slot)
    start_lightly()
    from api.api import create_app
    from api.fastpath.uvicorn_protocol import ShortHttp

    server = uvicorn.Server(uvicorn.Config(create_app(shared=shared), http=ShortHttp, **OPTIONS))
    beat = threading.Thread(target=_keep_in_touch, args=(server, shared, folder), name="keep in touch", daemon=True)
    beat.start()
    server.run(sockets=[listener])


def _keep_in_touch(server: uvicorn.Server, shared: Shared, folder: Path) -> None:
    """Publish the gauges while the worker serves; end it when nobody supervises any more."""
    supervisor = parent_process()
    while supervisor and supervisor.is_alive():
        try:
            if server.started:
                shared.publish()
        except OSError as error:
            logger.error("the gauges of this worker are not shown: %s", error)
        supervisor.join(BEAT_SECONDS if server.started else START_BEAT_SECONDS)
    logger.error("the supervisor is gone, so this worker ends")
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_WITHIN)
    os._exit(1)
