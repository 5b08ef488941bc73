"""From rows of features to answers, all by one version; then to the log, and to the challenger."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from api.challenger.shadow import Shadow
from api.inference.prediction_batch import PredictionBatch, class_counts
from api.inference.prediction_ids import new_start
from api.inference.prediction_log import PredictionLog
from api.metrics.declared import Metrics
from api.model.follower import ServedVersion
from common.problem import Problem, Rows, Value
from common.store.tables import Role


class Predictor:
    """Answers requests, and sees that what is answered is counted, logged, and shown to the challenger."""

    def __init__(self, problem: Problem, log: PredictionLog, shadow: Shadow, metrics: Metrics) -> None:
        """Hand on what is answered to these."""
        self._categories = [
            (place, frozenset(feature.categories), metrics.unseen_categories.labels(feature.name))
            for place, feature in enumerate(problem.features)
            if feature.kind == "category"
        ]
        self._log = log
        self._shadow = shadow
        self._metrics = metrics

    def predict(
        self, served: ServedVersion, rows: Sequence[Sequence[Value]] | Rows, role: Role = "champion"
    ) -> PredictionBatch:
        """Answer `rows`, each the features in order, by `served`, whose place is `role`.

        Raises:
            ModelError: the model answers with labels that are no classes; nothing is counted or logged.
        """
        answered = answer(served, rows, role)
        classes = served.model.classes
        for name, count in zip(classes, class_counts(answered.answer.labels, len(answered), len(classes)), strict=True):
            if count:
                self._metrics.predicted.labels(name).inc(count)
        if answered.outliers is not None and (outliers := int(np.count_nonzero(answered.outliers))):
            self._metrics.outliers.inc(outliers)
        self._count_unseen(rows)
        self._log.add(answered)
        # What the challenger was asked itself is no answer of the champion's to hold its own against.
        if role == "champion":
            self._shadow.show(answered)
        return answered

    def _count_unseen(self, rows: Sequence[Sequence[Value]] | Rows) -> None:
        for place, known, counter in self._categories:
            if unseen := sum(row[place] not in known for row in rows):
                counter.inc(unseen)


def answer(served: ServedVersion, rows: Sequence[Sequence[Value]] | Rows, role: Role = "champion") -> PredictionBatch:
    """Answer rows, without counting or logging."""
    X = served.model.as_rows(rows)
    return PredictionBatch(new_start(), datetime.now(UTC), role, served, rows, X, served.model.predict(X))
