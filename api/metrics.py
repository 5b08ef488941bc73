"""Every metric of the api, declared once."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator


class Metrics:
    """The metrics of one application, in a registry of their own."""

    def __init__(self) -> None:
        """Declare them."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.predicted = Counter(
            "predicted_class_name", "Answered predictions by class.", ["class_name"], registry=self.registry
        )
        self.reload_failures = Counter(
            "model_reload_failures", "Versions that could not be taken into service.", registry=self.registry
        )
        self.served_version = Gauge(
            "served_model_version", "Number of the served version.", ["model_name"], registry=self.registry
        )

    def instrument(self, app: FastAPI) -> None:
        """Measure every HTTP request of `app`, and show all metrics on `/metrics`."""
        instrumentator = Instrumentator(registry=self.registry)
        instrumentator.instrument(app).expose(
            app, response_class=PlainTextResponse, tags=["service"], summary="Metrics for Prometheus"
        )
