"""Counts rows with a category that the problem does not list: the model answers them, but has not learnt them."""

from collections.abc import Callable

from prometheus_client import Counter

from api.inference.prediction_batch import PredictionBatch
from api.metrics.declared import Metrics
from common.problem import Problem


class UnseenCategories:
    """The counter of an application."""

    def __init__(self, metrics: Metrics) -> None:
        """Declare the counter."""
        self._counter = metrics.counter("unseen_categories", "Rows with an unlisted category.", "feature")

    def observers(self, problem: Problem) -> list[Callable[[PredictionBatch], None]]:
        """Return a function for each feature of categories, which counts the rows of a batch."""
        return [
            _observer(place, frozenset(feature.categories), self._counter.labels(feature.name))
            for place, feature in enumerate(problem.features)
            if feature.kind == "category"
        ]


def _observer(place: int, known: frozenset[str], counter: Counter) -> Callable[[PredictionBatch], None]:
    def observe(batch: PredictionBatch) -> None:
        if unseen := sum(row[place] not in known for row in batch.rows):
            counter.inc(unseen)

    return observe
