"""Serves the api: `python -m api.serve`, in one process, or in as many as API_WORKERS says."""

import argparse
import gc
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn
from pydantic import BaseModel

from common.settings import SettingsError, load_settings

OPTIONS: dict[str, Any] = {
    # A line for each request costs 130 µs, more than the answer. Requests are counted on /metrics, errors are logged.
    "access_log": False,
    # Who is slow to send or to read must not keep the log from being written before whoever told us to stop kills us.
    "timeout_graceful_shutdown": 3,
}
# What libraries import if they can, and the api has no use for: httpx' command line (4 MB of rich and pygments) and
# HTTP/2 (20 ms), what FastAPI checks addresses of mail by, and models of pydantic 1 (30 ms).
UNUSED = ("httpx._main", "h2", "email_validator", "pydantic.v1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
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
        start_lightly()
        from api.fastpath.uvicorn_protocol import ShortHttp

        uvicorn.run("api.api:app", host=given.host, port=port, http=ShortHttp, **OPTIONS)
        return 0
    from api.workers.supervisor import supervise

    return supervise(settings, given.host, port)


def start_lightly() -> None:
    """Save time and memory of the start; to be called before the application is imported."""
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python says that there is no such module
    # A tenth of a second: nothing of what is imported is garbage. The application enables it when it has started.
    gc.disable()
    # 45 ms: FastAPI's models of OpenAPI are built when somebody reads the documentation.
    BaseModel.model_config["defer_build"] = True
    import fastapi  # noqa: F401

    del BaseModel.model_config["defer_build"]


if __name__ == "__main__":
    sys.exit(main())
