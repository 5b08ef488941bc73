"""Metrics from the store: correct with any number of api processes, and after a restart."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import product

from prometheus_client import Metric
from prometheus_client.registry import Collector

from common.evaluate import classes_of
from common.store import Store
from common.store.monitoring.correction_history import LearntVersion
from common.store.statistics import LiveCounts
from common.store.suggestions import STATES
from monitor.follow_registry import References
from monitor.metrics.class_metrics import class_metrics
from monitor.metrics.judgement_metrics import judgement_metrics
from monitor.metrics.metric_families import by_problem, counter, gauge
from monitor.metrics.review_metrics import review_metrics
from monitor.metrics.storage_metrics import storage_metrics
from monitor.metrics.window_metrics import alert_metrics, window_metrics
from monitor.storage import Storage

MODEL = ("problem", "model_name", "model_version", "role")
UNSETTLED = ("received", "delivered", "waiting")


class StoreCollector(Collector):
    """Reads roll-ups from the store at each scrape; the cost does not depend on the number of predictions.

    Raises:
        StoreError: from `collect`, if the store does not answer.
    """

    def __init__(
        self, store: Store, references: References, *, trusted_only: bool = False, storage: Storage | None = None
    ) -> None:
        """Collect from `store`, and compare its newest windows with `references`.

        With `trusted_only`, only ground truths that came with the key count where versions are compared. `storage` has
        the figures of the disk.
        """
        self._store = store
        self._references = references
        self._trusted_only, self._storage = trusted_only, storage

    def describe(self) -> Iterable[Metric]:
        """Return no descriptions, so that registering does not read the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Return the present metrics."""
        models = self._store.history.models()
        yield from self._live(models)
        yield from class_metrics(self._references, dict(models))
        yield from window_metrics(self._store, self._references, dict(models))
        yield from alert_metrics(self._store, dict(models))
        yield from self._suggestions({problem for problem, _ in models})
        yield from review_metrics(self._store, [problem for problem, _ in models])
        yield from self._champions(models)
        if self._storage:
            yield from storage_metrics(self._storage.figures())
        yield from judgement_metrics(self._store, self._references, models, trusted_only=self._trusted_only)

    def _live(self, models: Sequence[tuple[str, str]]) -> Iterator[Metric]:
        found = [
            ((*model, str(live.model_version), live.role), live)
            for model in models
            for live in self._store.statistics.live(*model, self._store.statistics.newest_versions(*model))
        ]
        volumes = [((*model, name), volume) for model, live in found for name, volume in live.volumes.items()]
        for name, documentation, attribute in (
            ("logged_predictions", "Logged predictions.", "predictions"),
            ("logged_outliers", "Logged rows that are outliers.", "outliers"),
        ):
            counts = ((labels, getattr(volume, attribute)) for labels, volume in volumes)
            yield counter(name, documentation, (*MODEL, "class_name"), counts)
        yield gauge(
            "live_labels",
            "Logged predictions with ground truth, by true and predicted class.",
            (*MODEL, "true_class", "predicted_class", "correct"),
            (((*model, *cell), count) for model, live in found for cell, count in _cells(live)),
        )

    def _suggestions(self, problems: set[str]) -> Iterator[Metric]:
        now = datetime.now(UTC)
        found = self._store.correction_history.by_state()
        known = sorted(problems | {each.problem for each in found})
        counts: dict[tuple[str, ...], float] = dict.fromkeys(product(known, STATES), 0)
        ages: dict[tuple[str, ...], float] = dict.fromkeys(product(known, UNSETTLED), 0.0)
        for each in found:
            counts[each.problem, each.state] = each.suggestions
            if each.state in UNSETTLED:
                ages[each.problem, each.state] = max((now - each.oldest).total_seconds(), 0.0)
        labels, oldest = ("problem", "state"), "Age of the oldest correction in a state; 0 when there is none."
        yield gauge("suggestions", "Corrections by state.", labels, counts.items())
        yield gauge("suggestions_oldest_seconds", oldest, labels, ages.items())

    def _champions(self, models: Sequence[tuple[str, str]]) -> Iterator[Metric]:
        versions = self._store.correction_history.versions()
        learnt = {model: [each for each in versions if each.problem == model[0]] for model in models}
        yield gauge(
            "champion_changes",
            "Versions that became champion, by how.",
            ("model_name", "how"),
            (((name, how.replace(" ", "_")), n) for (name, how), n in self._store.history.champion_changes().items()),
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
        # The first time of each version: later times are promotions and rollbacks.
        became = {period.model_version: period.since for period in reversed(self._store.champions.history(model_name))}
        for each in learnt:
            if each.model_version in became:
                yield each.model_version, (became[each.model_version] - each.last_received).total_seconds()


def _cells(live: LiveCounts) -> Iterator[tuple[tuple[str, str, str], int]]:
    # Zeros are exported, too, because a rule cannot add absent series; also for classes without ground truth so far.
    counts = {(each.true_class, each.predicted_class): each.labels for each in live.labels}
    for true, predicted in product(classes_of((), live.labels, *live.volumes), repeat=2):
        yield (true, predicted, str(true == predicted).lower()), counts.get((true, predicted), 0)
