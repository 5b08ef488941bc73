"""The prediction log: a thread writes all predictions to the store, several at once."""

import logging
import math
import time
from collections.abc import Sequence

from api.inference.prediction_batch import PredictionBatch
from api.inference.row_queue import GATHER_SECONDS, RowQueue
from api.metrics.declared import Metrics
from common.problem import Problem
from common.store import StoreError
from common.store.database import BadRowError
from common.store.predictions import LoggedPredictions

MAX_WAITING_ROWS = 20_000
ROWS_PER_TRANSACTION = 2_000  # with the gathering and a running transaction, a row is in the store within 250 ms
MAX_PAUSE_SECONDS = 5.0
FLUSH_SECONDS = 5.0

logger = logging.getLogger(__name__)


class PredictionLog:
    """Takes predictions without waiting, and writes them to the store, from `start` to `stop`.

    While the store is away the queue keeps as much as it can hold; further predictions are dropped and counted. `stop`
    writes the rest.
    """

    def __init__(self, problem: Problem, predictions: LoggedPredictions, metrics: Metrics) -> None:
        """Write `problem`'s predictions.

        A room may replace `predictions` and `flush`: it waits until the predictions of this moment are written, and
        returns whether they are, in so many seconds.
        """
        self._problem = problem
        self.predictions = predictions
        self._metrics = metrics
        self._queue = RowQueue("write predictions", self._write_or_drop, MAX_WAITING_ROWS, ROWS_PER_TRANSACTION)
        self.flush = self._queue.flush
        self._stop_trying_at = math.inf
        self._gave_up: StoreError | None = None
        metrics.log_waiting.set_function(lambda: len(self._queue))
        metrics.log_lag.set_function(lambda: self._queue.age)

    def start(self) -> None:
        """Begin to write."""
        self._queue.start()

    def stop(self) -> None:
        """Write the rest, and stop; if the store is away, after a few seconds."""
        self._stop_trying_at = time.monotonic() + FLUSH_SECONDS
        self._queue.stop()

    def add(self, batch: PredictionBatch) -> None:
        """Take predictions to write, or drop and count them if there is no room."""
        if not self._queue.put(batch):
            self._metrics.log_dropped.inc(len(batch))

    def _write_or_drop(self, batches: Sequence[PredictionBatch]) -> None:
        try:
            self._write_when_possible(batches)
        except Exception as error:  # noqa: BLE001  # no error may end the thread, and `_drop` logs it
            if len(batches) == 1 or self._gave_up:
                self._drop(batches, error)
                return
            for batch in batches:
                self._write_or_drop([batch])

    def _write_when_possible(self, batches: Sequence[PredictionBatch]) -> None:
        pause = GATHER_SECONDS
        # After giving up once no batch is tried: each try would take the store's time limit.
        while not self._gave_up:
            try:
                rows = [row for batch in batches for row in batch.log_rows(self._problem)]
                self._metrics.log_rows.inc(self.predictions.write(rows))
            except BadRowError:
                raise
            except StoreError as error:
                if self._wait(pause):
                    logger.warning("%d predictions wait to be logged: %s", len(self._queue), error)
                    pause = min(2 * pause, MAX_PAUSE_SECONDS)
                else:
                    self._gave_up = error
            else:
                return
        raise self._gave_up

    def _wait(self, seconds: float) -> bool:
        """Wait before another try; return whether there may be one."""
        if self._queue.closed.wait(seconds):
            time.sleep(GATHER_SECONDS)
        return time.monotonic() < self._stop_trying_at

    def _drop(self, batches: Sequence[PredictionBatch], error: Exception) -> None:
        rows = sum(map(len, batches))
        self._metrics.log_dropped.inc(rows)
        logger.error("%d predictions are not logged: %s", rows, error, exc_info=not isinstance(error, StoreError))
