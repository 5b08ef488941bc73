"""What is counted of every HTTP request: the instrumentator's own metrics, which the short way counts, too."""

import asyncio
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, Summary
from prometheus_fastapi_instrumentator.metrics import Info

FINE = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60)
COARSE = (0.1, 0.5, 1)


class _Sizes(Summary):
    """A summary that can be told several values at once."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe each of the values."""
        self._count.inc(len(values))
        self._sum.inc(sum(values))


class _Seconds(Histogram):
    """A histogram that can be told several values at once."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Observe each of the values."""
        self._sum.inc(sum(values))
        for place, count in Counts(bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[place].inc(count)


class _Seen(NamedTuple):
    """What there is to count of a request: seconds, and the bytes of both bodies."""

    seconds: float
    received: int
    sent: int


@dataclass(frozen=True)
class _Route:
    """The metrics for one kind of answer of one route, and what has not been counted yet."""

    requests: Counter
    received: _Sizes
    sent: _Sizes
    seconds: _Seconds
    waiting: list[_Seen] = field(default_factory=list)


class HttpMetrics:
    """The metrics that prometheus_fastapi_instrumentator has by default, by the same names.

    Requests are counted at the end of the turn of the event loop in which they were answered, all of a route at once:
    one by one they would cost each 5 µs, a tenth of a prediction.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare them in `registry`."""
        requests = Counter("http_requests", "Requests.", ("method", "status", "handler"), registry=registry)
        received = _Sizes("http_request_size_bytes", "Sizes of requests' bodies.", ("handler",), registry=registry)
        sent = _Sizes("http_response_size_bytes", "Sizes of answers' bodies.", ("handler",), registry=registry)
        self._fine = _Seconds(
            "http_request_duration_highr_seconds", "Latency of all requests.", buckets=FINE, registry=registry
        )
        labels = ("method", "handler")
        coarse = _Seconds(
            "http_request_duration_seconds", "Latency by route.", labels, buckets=COARSE, registry=registry
        )

        @cache
        def route(method: str, handler: str, status: str) -> _Route:
            return _Route(
                requests.labels(method, status, handler),
                received.labels(handler),
                sent.labels(handler),
                coarse.labels(method, handler),
            )

        self._route = route

    def observe(self, info: Info) -> None:
        """Count a request that the instrumentator has seen."""
        received, sent = (
            int(message.headers.get("content-length", 0)) if message else 0 for message in (info.request, info.response)
        )
        self.count(info.method, info.modified_handler, info.modified_status, info.modified_duration, received, sent)

    def count(self, method: str, handler: str, status: str, seconds: float, received: int, sent: int) -> None:  # noqa: PLR0913, PLR0917  # what there is to count
        """Count a request: its route, the group of its status such as `2xx`, seconds, and bytes of both bodies."""
        route = self._route(method, handler, status)
        if not route.waiting:
            asyncio.get_running_loop().call_soon(self._count, route)
        route.waiting.append(_Seen(seconds, received, sent))

    def _count(self, route: _Route) -> None:
        seconds, received, sent = zip(*route.waiting, strict=True)
        route.waiting.clear()
        route.requests.inc(len(seconds))
        route.received.observe_all(received)
        route.sent.observe_all(sent)
        route.seconds.observe_all(seconds)
        self._fine.observe_all(seconds)
