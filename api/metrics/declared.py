"""Every metric of the loop, declared once; rooms declare theirs with `Metrics.counter`."""

from contextlib import suppress
from typing import Literal

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client import generate_latest as text

from common.registry.client import Version
from common.store.tables import Role

TEST_METRICS = ("accuracy", "precision", "recall", "f1")
PROVENANCE = ("git_commit", "train_md5")  # the version's tags that model_info repeats
# prometheus_client's modes of showing the gauges of several workers as one number. A single process ignores them.
Mode = Literal["livesum", "livemax", "livemostrecent"]


class Metrics:
    """The metrics of one application, in a registry of their own.

    Attributes:
        shown: the registry that `/metrics` shows: the same one, unless the application is one of several workers.
    """

    def __init__(self) -> None:
        """Declare them."""
        self.registry = CollectorRegistry()
        self.shown = self.registry
        ProcessCollector(registry=self.registry)
        self.predicted = self.counter("predicted_class_name", "Predictions by class.", "class_name")
        self.outliers = self.counter("predicted_outliers", "Predictions for rows that are outliers.")
        self.reload_failures = self.counter("model_reload_failures", "Versions that the api could not load and serve.")
        self.swaps = self.counter("model_swaps", "Versions that the api began to serve.", "role")
        self._served_version = self._of_version("served_model_version", "Number of the served version.")
        self._model_info = self._of_version("model_info", "1 for the served version.", "model_version", *PROVENANCE)
        # The version's number is no label of these, so that the next version continues the same series.
        self._tested = {
            name: self._of_version(f"model_test_{name}_ratio", f"The served version's {name} on the test rows.")
            for name in TEST_METRICS
        }
        self.log_rows = self.counter("prediction_log_rows", "Predictions written to the store.")
        self.log_dropped = self.counter("prediction_log_dropped", "Predictions that could not be logged.")
        self.log_waiting = self._gauge("prediction_log_waiting_rows", "Predictions waiting to be written.", "livesum")
        self.log_lag = self._gauge("prediction_log_lag_seconds", "Age of the oldest waiting prediction.", "livemax")

    def serves(self, version: Version, role: Role) -> None:
        """Show the version that serves in a role from now on."""
        self.serves_none(version.name, role)
        self.swaps.labels(role).inc()
        self._served_version.labels(version.name, role).set(version.number)
        provenance = [version.tags.get(name, "") for name in PROVENANCE]
        self._model_info.labels(version.name, role, str(version.number), *provenance).set(1)
        for name, gauge in self._tested.items():
            # A version that was registered by hand may have no such tag.
            with suppress(KeyError, ValueError):
                tested = float(version.tags[f"test_{name}"])
                gauge.labels(version.name, role).set(tested)

    def serves_none(self, model_name: str, role: Role) -> None:
        """Remove the series of a role in which no version serves."""
        for gauge in (self._served_version, self._model_info, *self._tested.values()):
            self.remove(gauge, {"model_name": model_name, "role": role})

    def remove(self, gauge: Gauge, labels: dict[str, str]) -> None:
        """Remove the series of a gauge that have these labels, and maybe others."""
        gauge.remove_by_labels(labels)

    def show(self, app: FastAPI) -> None:
        """Show all metrics on `/metrics`."""

        @app.get("/metrics", response_class=PlainTextResponse, tags=["service"], summary="Metrics for Prometheus")
        def metrics() -> Response:
            """Return all metrics in Prometheus' text format."""
            return Response(text(self.shown), media_type=CONTENT_TYPE_LATEST)

    # During a swap workers disagree for a second, so the gauges of the worker that swapped last are shown.
    def _of_version(self, name: str, documentation: str, *more: str) -> Gauge:
        return self._gauge(name, documentation, "livemostrecent", "model_name", "role", *more)

    def _gauge(self, name: str, documentation: str, mode: Mode, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry, multiprocess_mode=mode)

    def counter(self, name: str, documentation: str, *labels: str) -> Counter:
        """Declare a counter."""
        return Counter(name, documentation, labels, registry=self.registry)
