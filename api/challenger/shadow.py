"""Asks the challenger for the rows that the champion has answered, on a thread in the background."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from api.challenger.follower import ChallengerFollower
from api.challenger.metrics import ShadowMetrics
from api.inference.prediction_batch import PredictionBatch, class_counts
from api.inference.prediction_log import PredictionLog
from api.inference.row_queue import RowQueue
from api.model.follower import ServedVersion
from common.bundle.model import Answer

MAX_WAITING_ROWS = 10_000
ROWS_PER_RUN = 256
# Of one core. A slower challenger falls behind and loses rows, instead of taking the core from the champion.
SHARE_OF_TIME = 0.1
STOP_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Shadow:
    """Asks the challenger, while there is one, for the champion's rows, and logs its predictions.

    It has a thread and a bounded queue of its own. A challenger that is slow or fails costs rows of the comparison,
    which are counted, and nothing else.
    """

    def __init__(self, challenger: ChallengerFollower, log: PredictionLog, metrics: ShadowMetrics) -> None:
        """Ask the model that `challenger` holds, and write to `log`."""
        self._challenger = challenger
        self._log = log
        self._metrics = metrics
        self._queue = RowQueue("ask the challenger", self._ask, MAX_WAITING_ROWS, ROWS_PER_RUN, SHARE_OF_TIME)
        # The version whose failure is in the log: a line for each failure would be as many as there are requests.
        self._failing: ServedVersion | None = None

    def start(self) -> None:
        """Start the thread."""
        self._queue.start()

    def stop(self) -> None:
        """Ask for the rows that are left, and stop, after a few seconds at most."""
        self._queue.stop(STOP_SECONDS)
        if left := len(self._queue):
            self._metrics.dropped.inc(left)
            logger.error("the challenger is too slow: it does not answer %d rows", left)

    def offer(self, batch: PredictionBatch) -> None:
        """Take the champion's predictions, or drop and count them if there is no room."""
        challenger = self._challenger.current
        # Requests addressed to the challenger's version are not shadowed: there is no champion's answer to compare.
        if challenger is None or batch.role != "champion":
            return
        if challenger.version.identity == batch.served.version.identity:
            return
        if not self._queue.put(batch):
            self._metrics.dropped.inc(len(batch))

    def _ask(self, batches: Sequence[PredictionBatch]) -> None:
        if challenger := self._challenger.current:
            self._score(challenger, batches)

    def _score(self, challenger: ServedVersion, batches: Sequence[PredictionBatch]) -> None:
        try:
            X = np.concatenate([batch.X for batch in batches])
            answer = challenger.model.predict(X)
            # The log could not name another class.
            class_counts(answer.labels, len(X), len(challenger.model.classes))
        except Exception as error:  # noqa: BLE001  # the errors of models have no common base class
            self._failed(challenger, batches, error)
            return
        start = 0
        for batch in batches:
            end = start + len(batch)
            self._log.add(replace(batch, role="shadow", served=challenger, answer=part(answer, start, end)))
            start = end
        self._metrics.rows.inc(start)

    def _failed(self, challenger: ServedVersion, batches: Sequence[PredictionBatch], error: Exception) -> None:
        if len(batches) == 1:
            self._metrics.failures.inc(len(batches[0]))
            if self._failing is not challenger:
                logger.error("the challenger, version %d, fails: %s", challenger.version.number, error)
            self._failing = challenger
            return
        for batch in batches:
            self._score(challenger, [batch])


def part(answer: Answer, start: int, end: int) -> Answer:
    """Return the answers for the rows from `start` to before `end`."""
    rows = slice(start, end)
    probabilities, scores = answer.probabilities, answer.outlier_scores
    return Answer(
        answer.labels[rows],
        probabilities[rows] if probabilities is not None else None,
        scores[rows] if scores is not None else None,
    )
