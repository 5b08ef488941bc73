"""Serves the api: `python -m api.serve`, in one process, or in as many as API_WORKERS says."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn

from common.settings import SettingsError, load_settings

OPTIONS: dict[str, Any] = {
    # A line for each request costs 130 µs, more than the answer. Requests are counted on /metrics, errors are logged.
    "access_log": False,
    # Longer than a proxy keeps a connection that it may use again, or it would use one that was closed at that moment.
    "timeout_keep_alive": 75,
    # Who is slow to send or to read must not keep the log from being written before whoever told us to stop kills us.
    "timeout_graceful_shutdown": 3,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    # httpx would import its own command line, which a service has no use for: 4 MB of rich and pygments.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # how Python says that there is no such module
    parser = argparse.ArgumentParser(prog="python -m api.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="the port to listen on (default: API_PORT)")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))
    port = settings.api_port if given.port is None else given.port
    if settings.api_workers == 1:
        uvicorn.run("api.api:app", host=given.host, port=port, **OPTIONS)
        return 0
    from api.workers.supervisor import supervise

    return supervise(settings, given.host, port)


if __name__ == "__main__":
    sys.exit(main())
