"""The interface between the connections, in `uvicorn_protocol.py`, and the routes that they ask before FastAPI."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from api.inference.prediction_batch import PredictionBatch
from api.metrics.http import HttpMetrics
from common.browsers.hosts import Hosts

Headers = Sequence[tuple[bytes, bytes]]
Reply = tuple[bytes, bytes]  # the body of a response, and the header lines that describe it
PendingReply = asyncio.Future[Reply | None]

FAST_ROUTES = "fast_routes"  # the key of `FastRoutes` in the state that the lifespan yields


class FastRoute(Protocol):
    """A route of the fast path. It answers the plain and valid requests to its path, and leaves all others to FastAPI.

    Attributes:
        path: the path of the requests.
        handler: the name of the route in the metrics.
    """

    path: str
    handler: str

    def accepts(self, headers: Headers) -> bool:
        """Return whether the route may answer a request with these headers."""
        ...

    def answer(self, headers: Headers, body: bytes) -> PendingReply | Reply | None:
        """Return the reply, at once or as a future; None, at once or in the future, leaves the request to FastAPI."""
        ...


class FastRoutes(NamedTuple):
    """The routes by their paths, as bytes, the metrics that count their requests, and the names of the service."""

    routes: Mapping[bytes, FastRoute]
    http: HttpMetrics
    hosts: Hosts


def headers_of(batch: PredictionBatch) -> bytes:
    """Return the header lines of the replies to the rows of a batch: their type, and how long the model took."""
    return b"content-type: application/json\r\nserver-timing: %b\r\n" % batch.server_timing.encode()
