"""The challenger in the champion's shadow: it answers the same rows, behind the service's back."""

import logging
import threading
import time
from dataclasses import replace

import numpy as np

from api.inference.give_way import give_way
from api.inference.prediction_batch import PredictionBatch, class_counts
from api.inference.prediction_log import PredictionLog
from api.inference.row_queue import RowQueue
from api.metrics.declared import Metrics
from api.model.follower import ChallengerFollower, ServedVersion
from common.bundle.model import Answer

MAX_WAITING_ROWS = 10_000
GATHER_SECONDS = 0.05  # waking a thread for every request would cost the requests more than the scoring does
ROWS_PER_RUN = 256
# Of one core. What computes longer falls behind, and loses rows, instead of taking the core from the champion.
SHARE_OF_TIME = 0.1
END_WITHIN = 5.0

logger = logging.getLogger(__name__)


class Shadow:
    """Shows the challenger, while there is one, what the champion has answered, and logs what it says.

    It has a thread and a bounded queue of its own: a challenger that is slow or fails costs rows of the comparison,
    which are counted, and the champion nothing.
    """

    def __init__(self, challenger: ChallengerFollower, log: PredictionLog, metrics: Metrics) -> None:
        """Ask the model that `challenger` holds, and write to `log`."""
        self._challenger = challenger
        self._log = log
        self._metrics = metrics
        self._queue = RowQueue(MAX_WAITING_ROWS)
        # Whose failure has been told: a line for each would be as many as there are requests.
        self._failing: ServedVersion | None = None
        # A daemon: a model that never returns from a row must not keep the service from ending.
        self._thread = threading.Thread(target=self._run, name="score in the shadow", daemon=True)

    def start(self) -> None:
        """Begin to score."""
        self._thread.start()

    def stop(self) -> None:
        """Score what is left, and end, after a few seconds at most."""
        self._queue.close()
        self._thread.join(END_WITHIN)
        if self._thread.is_alive():
            self._metrics.shadow_dropped.inc(len(self._queue))
            logger.error("the challenger is too slow: %d rows are not scored", len(self._queue))

    def show(self, answered: PredictionBatch) -> None:
        """Take what the champion has answered, or drop and count it if there is no room."""
        challenger = self._challenger.current
        if challenger is None or challenger.version.identity == answered.served.version.identity:
            return
        if not self._queue.put(answered):
            self._metrics.shadow_dropped.inc(len(answered))

    def _run(self) -> None:
        give_way()
        while batch := self._queue.gather(GATHER_SECONDS, ROWS_PER_RUN):
            start = time.monotonic()
            challenger = self._challenger.current
            if challenger is not None:
                self._score(challenger, batch)
            self._queue.settle(batch)
            self._queue.closed.wait((time.monotonic() - start) * (1 / SHARE_OF_TIME - 1))

    def _score(self, challenger: ServedVersion, batch: list[PredictionBatch]) -> None:
        try:
            X = np.concatenate([answered.X for answered in batch])
            answer = challenger.model.predict(X)
            # The log could not name another class.
            class_counts(answer.labels, len(X), len(challenger.model.classes))
        except Exception as error:  # noqa: BLE001  # what a model can raise has no common base
            self._failed(challenger, batch, error)
            return
        start = 0
        for answered in batch:
            end = start + len(answered)
            self._log.add(replace(answered, role="shadow", served=challenger, answer=part(answer, start, end)))
            start = end
        self._metrics.shadow_rows.inc(start)

    def _failed(self, challenger: ServedVersion, batch: list[PredictionBatch], error: Exception) -> None:
        if len(batch) == 1:
            self._metrics.shadow_failures.inc(len(batch[0]))
            if self._failing is not challenger:
                logger.error("the challenger, version %d, fails: %s", challenger.version.number, error)
            self._failing = challenger
            return
        for answered in batch:
            self._score(challenger, [answered])


def part(answer: Answer, start: int, end: int) -> Answer:
    """Return the answers for some of the rows."""
    rows = slice(start, end)
    probabilities, scores = answer.probabilities, answer.outlier_scores
    return Answer(
        answer.labels[rows],
        probabilities[rows] if probabilities is not None else None,
        scores[rows] if scores is not None else None,
    )
