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
        self.predicted = self._counter("predicted_class_name", "Answered predictions by class.", "class_name")
        self.outliers = self._counter("predicted_outliers", "Answered predictions for rows unlike the training data.")
        self.reload_failures = self._counter("model_reload_failures", "Versions that could not be taken into service.")
        self.served_version = Gauge(
            "served_model_version", "Number of the served version.", ["model_name", "role"], registry=self.registry
        )
        self.log_rows = self._counter("prediction_log_rows", "Predictions written to the store.")
        self.log_dropped = self._counter("prediction_log_dropped", "Predictions that could not be logged.")
        self.log_waiting = Gauge(
            "prediction_log_waiting_rows", "Predictions waiting to be written.", registry=self.registry
        )
        self.log_lag = Gauge(
            "prediction_log_lag_seconds", "Age of the oldest prediction waiting to be written.", registry=self.registry
        )
        self.shadow_rows = self._counter("shadow_predictions", "Rows that the challenger has answered, too.")
        self.shadow_failures = self._counter("shadow_failures", "Rows that the challenger could not answer.")
        self.shadow_dropped = self._counter("shadow_dropped", "Rows not shown to the challenger, which is too slow.")

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)

    def instrument(self, app: FastAPI) -> None:
        """Measure every HTTP request of `app`, and show all metrics on `/metrics`."""
        instrumentator = Instrumentator(registry=self.registry)
        instrumentator.instrument(app).expose(
            app, response_class=PlainTextResponse, tags=["service"], summary="Metrics for Prometheus"
        )
