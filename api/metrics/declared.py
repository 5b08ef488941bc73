"""Every metric of the api, declared once."""

from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator

from api.metrics.http import HttpMetrics
from common.registry.client import Version
from common.store.tables import Role

if TYPE_CHECKING:
    from api.workers.shared import Shared

TEST_METRICS = ("accuracy", "precision", "recall", "f1")
PROVENANCE = ("git_commit", "train_md5")  # the version's tags that model_info repeats


class Metrics:
    """The metrics of one application, in a registry of their own."""

    def __init__(self) -> None:
        """Declare them."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.http = HttpMetrics(self.registry)
        self.predicted = self._counter("predicted_class_name", "Answered predictions by class.", "class_name")
        self.outliers = self._counter("predicted_outliers", "Answered predictions for rows unlike the training data.")
        self.unseen_categories = self._counter(
            "unseen_categories", "Answered rows with a category that is none of the known ones.", "feature"
        )
        self.reload_failures = self._counter("model_reload_failures", "Versions that could not be taken into service.")
        self.swaps = self._counter("model_swaps", "Versions taken into service.", "role")
        self._served_version = self._of_model("served_model_version", "Number of the served version.")
        self._model_info = self._of_model(
            "model_info", "The served version, and what it was made from.", "model_version", *PROVENANCE
        )
        # Without the version: so its successor is a step of the same line.
        self._tested = {
            name: self._of_model(f"model_test_{name}_ratio", f"Of the served version on the test rows: {name}.")
            for name in TEST_METRICS
        }
        self.log_rows = self._counter("prediction_log_rows", "Predictions written to the store.")
        self.log_dropped = self._counter("prediction_log_dropped", "Predictions that could not be logged.")
        self.log_waiting = self._gauge("prediction_log_waiting_rows", "Predictions waiting to be written.")
        self.log_lag = self._gauge("prediction_log_lag_seconds", "Age of the oldest prediction waiting to be written.")
        self.shadow_rows = self._counter("shadow_predictions", "Rows that the challenger has answered, too.")
        self.shadow_failures = self._counter("shadow_failures", "Rows that the challenger could not answer.")
        self.shadow_dropped = self._counter("shadow_dropped", "Rows not shown to the challenger, which is too slow.")

    def serves(self, version: Version, role: Role) -> None:
        """Show the version that serves in a role from now on."""
        self.serves_none(version.name, role)
        tags = version.tags
        self.swaps.labels(role).inc()
        self._served_version.labels(version.name, role).set(version.number)
        self._model_info.labels(
            version.name, role, str(version.number), *(tags.get(name, "") for name in PROVENANCE)
        ).set(1)
        for name, gauge in self._tested.items():
            # A version that was registered by hand may come without.
            with suppress(KeyError, ValueError):
                tested = float(tags[f"test_{name}"])
                gauge.labels(version.name, role).set(tested)

    def serves_none(self, model_name: str, role: Role) -> None:
        """Show that no version serves in a role."""
        for gauge in (self._served_version, self._model_info, *self._tested.values()):
            gauge.remove_by_labels({"model_name": model_name, "role": role})

    def _of_model(self, name: str, documentation: str, *more: str) -> Gauge:
        return self._gauge(name, documentation, "model_name", "role", *more)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)

    def instrument(self, app: FastAPI, shared: "Shared | None" = None) -> None:
        """Measure every HTTP request of `app`, and show all metrics on `/metrics`, of all processes that share them."""
        Instrumentator(registry=self.registry).add(self.http.observe).instrument(app)
        shown = shared.shown(self.registry) if shared else self.registry
        Instrumentator(registry=shown).expose(
            app, response_class=PlainTextResponse, tags=["service"], summary="Metrics for Prometheus"
        )
