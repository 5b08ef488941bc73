"""From rows of features to predictions, all by one version; then to the metrics, the log and other observers."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter

import numpy as np

from api.inference.prediction_batch import PredictionBatch, class_counts
from api.inference.prediction_ids import new_start
from api.inference.prediction_log import PredictionLog
from api.metrics.declared import Metrics
from api.model.follower import ServedVersion
from common.problem import Rows, Value
from common.store.tables import Role


class Predictor:
    """Answers rows; counts and logs the predictions.

    Attributes:
        observers: further functions that get each batch of predictions, on the thread that answers the request.
    """

    def __init__(self, log: PredictionLog, metrics: Metrics) -> None:
        """Write to `log`, and count in `metrics`."""
        self.observers: list[Callable[[PredictionBatch], None]] = []
        self._log = log
        self._metrics = metrics

    def predict(
        self, served: ServedVersion, rows: Sequence[Sequence[Value]] | Rows, role: Role = "champion"
    ) -> PredictionBatch:
        """Answer `rows`, each the features in order, by `served`, which serves in `role`.

        Raises:
            ModelError: the model's labels are not indices of its classes; nothing is counted or logged.
        """
        batch = answer(served, rows, role)
        classes = served.model.classes
        for name, count in zip(classes, class_counts(batch.answer.labels, len(batch), len(classes)), strict=True):
            if count:
                self._metrics.predicted.labels(name).inc(count)
        if batch.outliers is not None and (outliers := int(np.count_nonzero(batch.outliers))):
            self._metrics.outliers.inc(outliers)
        self._log.add(batch)
        self.offer(batch)
        return batch

    def offer(self, batch: PredictionBatch) -> None:
        """Give a batch to the observers."""
        for observe in self.observers:
            observe(batch)


def answer(served: ServedVersion, rows: Sequence[Sequence[Value]] | Rows, role: Role = "champion") -> PredictionBatch:
    """Answer rows, without counting or logging them."""
    X, at, begin = served.model.as_rows(rows), datetime.now(UTC), perf_counter()
    found = served.model.predict(X)
    return PredictionBatch(new_start(), at, role, served, rows, X, found, perf_counter() - begin)
