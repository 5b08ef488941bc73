"""Predictions on their way from the requests to a thread that works in the background."""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from api.inference.prediction_batch import PredictionBatch

GATHER_SECONDS = 0.05  # a thread that woke for every request would cost the requests more than its work does
# With 1, the slowest of a hundred answers takes 5.6 instead of 6.3 ms. With 2, the log fell behind at 64 connections
# and a challenger on one full core.
NICENESS = 1


class _Waiting(NamedTuple):
    since: float
    batch: PredictionBatch


class RowQueue:
    """A bounded queue, and a thread that takes several batches from it at once.

    The event loop, which puts batches in, never waits: where the thread falls behind, batches are refused.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[PredictionBatch]], None],
        max_rows: int,
        rows_at_once: int,
        share_of_time: float = 1.0,
    ) -> None:
        """Prepare the thread.

        Args:
            name: of the thread.
            work: does the thread's work with the oldest batches; it raises no error.
            max_rows: the most rows in the queue, including those of the running `work`.
            rows_at_once: the most rows for one call of `work`, unless a single batch has more.
            share_of_time: of one core that the thread may use; it sleeps during the rest.
        """
        self._work = work
        self._max_rows = max_rows
        self._rows_at_once = rows_at_once
        self._share_of_time = share_of_time
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._put = self._settled = 0
        self._hurry = False
        self.closed = threading.Event()
        # A daemon: a model that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __len__(self) -> int:
        """Return the number of rows in the queue, including those of the running `work`."""
        return self._rows

    @property
    def age(self) -> float:
        """The seconds that the oldest row has been waiting."""
        with self._changed:
            return time.monotonic() - self._waiting[0].since if self._waiting else 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, within: float | None = None) -> None:
        """Refuse further batches, and wait until the thread has worked on the others, at most `within` seconds."""
        with self._changed:
            self.closed.set()
            self._changed.notify_all()
        self._thread.join(within)

    def put(self, batch: PredictionBatch) -> bool:
        """Put a batch in; return whether there was room for it."""
        with self._changed:
            if self._rows + len(batch) > self._max_rows or self.closed.is_set():
                return False
            self._waiting.append(_Waiting(time.monotonic(), batch))
            self._rows += len(batch)
            self._put += 1
            if len(self._waiting) == 1:
                self._changed.notify_all()
            return True

    def flush(self, within: float) -> bool:
        """Wait until the thread has worked on all batches of this moment; return whether it has, in so many seconds."""
        with self._changed:
            target, self._hurry = self._put, True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= target, within)

    def _run(self) -> None:
        if sys.platform == "linux":  # where each thread has a priority of its own
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
        while batches := self._gather():
            start = time.monotonic()
            self._work(batches)
            self._settle(batches)
            self.closed.wait((time.monotonic() - start) * (1 / self._share_of_time - 1))

    def _gather(self) -> list[PredictionBatch]:
        """Return the oldest batches once the first has waited a moment, or there are enough; none after the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.closed.is_set())
            # Counted from its arrival: batches that came during the last `work` have waited already.
            left = self._waiting[0].since + GATHER_SECONDS - time.monotonic() if self._waiting else 0.0
            if left > 0:
                self._changed.wait_for(
                    lambda: self._hurry or self.closed.is_set() or self._rows >= self._rows_at_once, left
                )
            batches: list[PredictionBatch] = []
            rows = 0
            for _, batch in self._waiting:
                rows += len(batch)
                if batches and rows > self._rows_at_once:
                    break
                batches.append(batch)
            return batches

    def _settle(self, batches: Sequence[PredictionBatch]) -> None:
        with self._changed:
            for batch in batches:
                self._waiting.popleft()
                self._rows -= len(batch)
            self._settled += len(batches)
            self._hurry = self._hurry and bool(self._waiting)
            self._changed.notify_all()
