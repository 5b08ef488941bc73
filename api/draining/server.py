"""uvicorn's server, which goes on answering for some seconds after somebody has asked it to end.

uvicorn closes its port and its idle connections at once. A request that is on its way at that moment gets no answer,
and a proxy that asks for the health every second sends further requests. This server first fails its health checks
(`routes.py`) and asks each client, with its next answer, to connect anew (`Connection: close`). So a proxy has the time
to send all requests to other replicas.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

DRAINING = "draining"  # the key in the state of connections and requests that is there while the server drains
CLOSE = (b"connection", b"close")

logger = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """A server whose end has two steps. A second Ctrl-C skips the first step, and a third one the second."""

    def __init__(self, config: uvicorn.Config, seconds: float) -> None:
        """Serve as `config` says; the first step takes so many seconds."""
        super().__init__(config)
        self.seconds = seconds
        self._until: float | None = None

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; uvicorn asks ten times a second."""
        ends = await super().on_tick(counter)
        if not ends or not self.seconds:
            return ends
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + self.seconds
            self._drain()
        if self.force_exit:
            self.force_exit = False
            return True
        return now >= self._until

    def _drain(self) -> None:
        logger.info("draining: for %g s the health checks fail, and answers close their connections", self.seconds)
        self.lifespan.state[DRAINING] = True
        # The first list is for this second, the other one for those that follow.
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        self.config.encoded_headers.append(CLOSE)


def run(app: str, seconds: float, **options: Any) -> None:
    """Serve `app` until SIGTERM or SIGINT, as `uvicorn.run` does, and then for so many seconds.

    Raises:
        SystemExit: the application did not start.
    """
    server = DrainingServer(uvicorn.Config(app, **options), seconds)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)
