"""What is counted of every HTTP request: the instrumentator's own metrics, which the hot path counts, too."""

from dataclasses import dataclass
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, Summary
from prometheus_fastapi_instrumentator.metrics import Info

FINE = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60)
COARSE = (0.1, 0.5, 1)


@dataclass(frozen=True)
class _Route:
    """The children of the metrics for one kind of answer of one route: to look them up takes as long as to count."""

    requests: Counter
    received: Summary
    sent: Summary
    seconds: Histogram


class HttpMetrics:
    """The metrics that prometheus_fastapi_instrumentator has by default, by the same names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare them in `registry`."""
        requests = Counter("http_requests", "Requests.", ("method", "status", "handler"), registry=registry)
        received = Summary("http_request_size_bytes", "Sizes of requests' bodies.", ("handler",), registry=registry)
        sent = Summary("http_response_size_bytes", "Sizes of answers' bodies.", ("handler",), registry=registry)
        self._fine = Histogram(
            "http_request_duration_highr_seconds", "Latency of all requests.", buckets=FINE, registry=registry
        )
        coarse = Histogram(
            "http_request_duration_seconds",
            "Latency by route.",
            ("method", "handler"),
            buckets=COARSE,
            registry=registry,
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
        route.requests.inc()
        route.received.observe(received)
        route.sent.observe(sent)
        route.seconds.observe(seconds)
        self._fine.observe(seconds)
