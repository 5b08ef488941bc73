"""The metrics of HTTP requests, under the names that prometheus_fastapi_instrumentator gives them."""

import asyncio
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Histogram, Summary
from prometheus_fastapi_instrumentator import Instrumentator
from prometheus_fastapi_instrumentator.metrics import Info

FINE = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60)
COARSE = (0.1, 0.5, 1)


class _Sizes(Summary):
    """A summary that observes several values at once."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe each of the values."""
        self._count.inc(len(values))
        self._sum.inc(sum(values))


class _Seconds(Histogram):
    """A histogram that observes several values at once."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe each of the values."""
        self._sum.inc(sum(values))
        for bucket, count in Counts(bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[bucket].inc(count)


@dataclass(frozen=True)
class _Route:
    """The metrics for one kind of answer of one route.

    Attributes:
        uncounted: seconds, bytes of the request's body and bytes of the answer's, of each request not counted yet.
    """

    requests: Counter
    received: _Sizes
    sent: _Sizes
    seconds: _Seconds
    uncounted: list[tuple[float, int, int]] = field(default_factory=list)


class HttpMetrics:
    """The metrics that prometheus_fastapi_instrumentator has by default, counted here for the fast path as well.

    Requests are counted at the end of the event loop's turn in which they were answered, all requests of a route
    together: one by one, each would cost 5 µs, a tenth of a prediction.
    """

    def __init__(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Declare them in `registry`, and count the requests of `app`."""
        requests = Counter("http_requests", "Requests.", ("method", "status", "handler"), registry=registry)
        received = _Sizes("http_request_size_bytes", "Sizes of requests' bodies.", ("handler",), registry=registry)
        sent = _Sizes("http_response_size_bytes", "Sizes of answers' bodies.", ("handler",), registry=registry)
        fine, coarse = "http_request_duration_highr_seconds", "http_request_duration_seconds"
        by_route = _Seconds(coarse, "Latency by route.", ("method", "handler"), buckets=COARSE, registry=registry)
        self._all = _Seconds(fine, "Latency of all requests.", buckets=FINE, registry=registry)
        Instrumentator(registry=registry).add(self._observe).instrument(app)
        self._route = cache(
            lambda method, handler, status: _Route(
                requests.labels(method, status, handler),
                received.labels(handler),
                sent.labels(handler),
                by_route.labels(method, handler),
            )
        )

    def _observe(self, info: Info) -> None:
        """Count a request that the instrumentator has seen."""
        received, sent = (
            int(message.headers.get("content-length", 0)) if message else 0 for message in (info.request, info.response)
        )
        self.count(info.method, info.modified_handler, info.modified_status, info.modified_duration, received, sent)

    def count(self, method: str, handler: str, status: str, seconds: float, received: int, sent: int) -> None:  # noqa: PLR0913, PLR0917  # all that is counted
        """Count a request: its route, the group of its status such as `2xx`, seconds, and bytes of both bodies."""
        route = self._route(method, handler, status)
        if not route.uncounted:
            asyncio.get_running_loop().call_soon(self._count, route)
        route.uncounted.append((seconds, received, sent))

    def _count(self, route: _Route) -> None:
        seconds, received, sent = zip(*route.uncounted, strict=True)
        route.uncounted.clear()
        route.requests.inc(len(seconds))
        route.received.observe_all(received)
        route.sent.observe_all(sent)
        route.seconds.observe_all(seconds)
        self._all.observe_all(seconds)
