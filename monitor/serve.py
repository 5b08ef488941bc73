"""Serves the monitor: `python -m monitor.serve`."""

import argparse
import sys
from collections.abc import Sequence

import uvicorn

from common.settings import SettingsError, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m monitor.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="the port to listen on (default: MONITOR_PORT)")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))
    uvicorn.run(
        "monitor.monitor:app",
        host=given.host,
        port=settings.monitor_port if given.port is None else given.port,
        http="common.connections.protocol:Connection",
        # The audit log has what changes something; a line for each question of Prometheus would hide the rest.
        access_log=False,
        # Otherwise uvicorn would believe every program on this machine that it forwards the requests of others.
        forwarded_allow_ips=settings.forwarded_allow_ips,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
