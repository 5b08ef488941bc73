"""The log of predictions, written behind the service's back: in batches, by one thread, from a bounded queue."""

import logging
import math
import threading
import time

from api.inference.give_way import give_way
from api.inference.prediction_batch import PredictionBatch
from api.inference.row_queue import RowQueue
from api.metrics.declared import Metrics
from common.problem import Problem
from common.store import StoreError
from common.store.database import BadRowError
from common.store.predictions import LoggedPredictions

MAX_WAITING_ROWS = 20_000
ROWS_PER_TRANSACTION = 2_000
GATHER_SECONDS = 0.05  # with the writing itself, and that of the rows before, the log is less than 250 ms behind
MAX_PAUSE_SECONDS = 5.0
DRAIN_SECONDS = 5.0

logger = logging.getLogger(__name__)


class PredictionLog:
    """Takes what has been answered, never waits, and writes it to the store, from `start` to `stop`.

    While the store is away the queue holds as much as it can; what comes on top is dropped and counted. A stop
    writes what is left.
    """

    def __init__(self, problem: Problem, predictions: LoggedPredictions, metrics: Metrics) -> None:
        """Write `problem`'s predictions."""
        self._problem = problem
        self._predictions = predictions
        self._metrics = metrics
        self._queue = RowQueue(MAX_WAITING_ROWS)
        self._give_up_at = math.inf
        self._given_up: StoreError | None = None
        self._thread = threading.Thread(target=self._run, name="write predictions")
        metrics.log_waiting.set_function(lambda: len(self._queue))
        metrics.log_lag.set_function(lambda: self._queue.age)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end; if the store is away, after a few seconds."""
        self._give_up_at = time.monotonic() + DRAIN_SECONDS
        self._queue.close()
        self._thread.join()

    def add(self, answered: PredictionBatch) -> None:
        """Take rows to write, or drop and count them if there is no room."""
        if not self._queue.put(answered):
            self._metrics.log_dropped.inc(len(answered))

    def flush(self, within: float) -> bool:
        """Wait until all that has been added is written; return whether it is, after so many seconds at most."""
        return self._queue.flush(within)

    def _run(self) -> None:
        give_way()
        while batch := self._queue.gather(GATHER_SECONDS, ROWS_PER_TRANSACTION):
            self._write_or_drop(batch)
            self._queue.settle(batch)

    def _write_or_drop(self, batch: list[PredictionBatch]) -> None:
        try:
            self._write_when_possible(batch)
        except Exception as error:  # noqa: BLE001  # nothing unforeseen may end the writing, and it is told
            if len(batch) == 1 or self._given_up:
                self._drop(batch, error)
                return
            for answered in batch:
                self._write_or_drop([answered])

    def _write_when_possible(self, batch: list[PredictionBatch]) -> None:
        # The store had its chance: trying each batch again would take its time-out each time.
        if self._given_up:
            raise self._given_up
        pause = GATHER_SECONDS
        while True:
            try:
                return self._write(batch)
            except BadRowError:
                raise
            except StoreError as error:
                if not self._wait(pause):
                    self._given_up = error
                    raise
                logger.warning("%d predictions wait to be logged: %s", len(self._queue), error)
                pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def _write(self, batch: list[PredictionBatch]) -> None:
        rows = [row for answered in batch for row in answered.log_rows(self._problem)]
        self._predictions.write(rows)
        self._metrics.log_rows.inc(len(rows))

    def _wait(self, seconds: float) -> bool:
        """Wait before another attempt; return whether there may be one."""
        if self._queue.closed.wait(seconds):
            time.sleep(GATHER_SECONDS)
        return time.monotonic() < self._give_up_at

    def _drop(self, batch: list[PredictionBatch], error: Exception) -> None:
        rows = sum(map(len, batch))
        self._metrics.log_dropped.inc(rows)
        logger.error("%d predictions are not logged: %s", rows, error, exc_info=not isinstance(error, StoreError))
