"""Serves the api: `python -m api.serve`, in one process, or in API_WORKERS of them."""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from functools import partial  # room: draining
from typing import Any

import uvicorn

from api.draining.server import run as run_draining  # room: draining
from common.settings import SettingsError, load_settings

OPTIONS: dict[str, Any] = {
    # A line for each request costs 130 µs, more than the answer. /metrics counts requests, and errors are logged.
    "access_log": False,
    # On shutdown wait at most 3 s for slow clients. Docker kills after 10 s, honcho after 5 s, and the log must be
    # flushed before that.
    "timeout_graceful_shutdown": 3,
    # No route has WebSockets, whose library takes 0.6 MB of memory.
    "ws": "none",
}
OPTIONS["http"] = "common.connections.protocol:Connection"  # room: connections
OPTIONS["http"] = "api.fastpath.uvicorn_protocol:FastPathProtocol"  # room: fastpath


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m api.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="the port to listen on (default: API_PORT)")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))
    port = settings.api_port if given.port is None else given.port
    # Otherwise uvicorn would believe every program on this machine that it forwards the requests of others.
    options = OPTIONS | {"forwarded_allow_ips": settings.forwarded_allow_ips}
    if settings.api_workers > 1:  # room: workers
        from api.workers.supervisor import supervise  # room: workers

        return supervise(settings, given.host, port, options)  # room: workers
    # 0.1 s of the start: imports make no garbage. The application enables the collector when it has started.
    gc.disable()
    run: Callable[..., None] = uvicorn.run
    run = partial(run_draining, seconds=settings.drain_seconds)  # room: draining
    run("api.api:app", host=given.host, port=port, **options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
