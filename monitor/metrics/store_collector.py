"""What the store knows, as metrics for Prometheus: right with any number of api processes, and after a restart."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import product

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from common.store import Store
from common.store.monitoring.correction_history import LearntVersion
from common.store.statistics import LiveCounts
from common.store.suggestions import STATES
from monitor.follow_registry import References
from monitor.metrics.metric_families import by_problem, filled, gauge
from monitor.metrics.window_metrics import alert_metrics, window_metrics

MODEL = ("problem", "model_name", "model_version", "role")
UNSETTLED = ("received", "delivered", "waiting")


class StoreCollector(Collector):
    """Asks the store at each scrape: roll-ups, which cost the same however many predictions there are.

    Raises:
        StoreError: from `collect`, when the store does not answer.
    """

    def __init__(self, store: Store, references: References) -> None:
        """Export what `store` knows, and how its newest predictions stand to their `references`."""
        self._store = store
        self._references = references

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is, the store says, which is not asked before the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        models = self._store.history.models()
        yield from self._live(models)
        yield from window_metrics(self._store, self._references, dict(models))
        yield from alert_metrics(self._store, dict(models))
        yield from self._suggestions({problem for problem, _ in models})
        yield from self._champions(models)

    def _live(self, models: Sequence[tuple[str, str]]) -> Iterator[Metric]:
        found = [
            ((*model, str(live.model_version), live.role), live)
            for model in models
            for live in self._store.statistics.live(*model)
        ]
        volumes = [((*model, name), volume) for model, live in found for name, volume in live.volumes.items()]
        yield filled(
            CounterMetricFamily("logged_predictions", "Logged predictions.", labels=(*MODEL, "class_name")),
            ((labels, volume.predictions) for labels, volume in volumes),
        )
        yield filled(
            CounterMetricFamily(
                "logged_outliers", "Logged rows unlike the training data.", labels=(*MODEL, "class_name")
            ),
            ((labels, volume.outliers) for labels, volume in volumes),
        )
        yield gauge(
            "live_labels",
            "Logged predictions whose truth is known, by true and predicted class.",
            (*MODEL, "true_class", "predicted_class", "correct"),
            (((*model, *cell), count) for model, live in found for cell, count in _cells(live)),
        )

    def _suggestions(self, problems: set[str]) -> Iterator[Metric]:
        now = datetime.now(UTC)
        found = {(each.problem, each.state): each for each in self._store.correction_history.by_state()}
        places = list(product(sorted(problems | {problem for problem, _ in found}), STATES))
        yield gauge(
            "suggestions",
            "Corrections by how far they are.",
            ("problem", "state"),
            ((place, found[place].suggestions if place in found else 0) for place in places),
        )
        yield gauge(
            "suggestions_oldest_seconds",
            "Age of the oldest correction in a state; 0 when there is none.",
            ("problem", "state"),
            (
                (place, max((now - found[place].oldest).total_seconds(), 0.0) if place in found else 0.0)
                for place in places
                if place[1] in UNSETTLED
            ),
        )

    def _champions(self, models: Sequence[tuple[str, str]]) -> Iterator[Metric]:
        versions = self._store.correction_history.versions()
        learnt = {model: [each for each in versions if each.problem == model[0]] for model in models}
        yield gauge(
            "champion_changes",
            "Versions that became champion, by how.",
            ("model_name", "how"),
            (((name, how.replace(" ", "_")), n) for (name, how), n in self._store.champions.changes().items()),
        )
        yield by_problem(
            "finetuned_versions",
            "Versions that learnt from corrections.",
            {problem: len(versions) for (problem, _), versions in learnt.items()},
        )
        yield gauge(
            "loop_seconds",
            "From the last correction that a version learnt from to its becoming champion.",
            ("problem", "model_name", "model_version"),
            (
                ((*model, str(version)), seconds)
                for model, versions in learnt.items()
                for version, seconds in self._closed_loops(model[1], versions)
            ),
        )

    def _closed_loops(self, model_name: str, learnt: Sequence[LearntVersion]) -> Iterator[tuple[int, float]]:
        # The first reign of each: later ones are promotions and rollbacks.
        crowned = {reign.model_version: reign.since for reign in reversed(self._store.champions.history(model_name))}
        for each in learnt:
            if each.model_version in crowned:
                yield each.model_version, (crowned[each.model_version] - each.last_received).total_seconds()


def _cells(live: LiveCounts) -> Iterator[tuple[tuple[str, str, str], int]]:
    # Zeros too, since a rule cannot add what is absent; also of classes that were only predicted so far.
    for true, predicted in product(sorted(live.classes | live.volumes.keys()), repeat=2):
        yield (true, predicted, str(true == predicted).lower()), live.labels.get((true, predicted), 0)
