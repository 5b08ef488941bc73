"""Answered rows on their way to a thread: bounded, so that a thread which cannot keep up costs rows, not memory."""

import threading
import time
from collections import deque
from typing import NamedTuple

from api.inference.prediction_batch import PredictionBatch


class _Waiting(NamedTuple):
    since: float
    answered: PredictionBatch


class RowQueue:
    """A queue between the event loop, which never waits, and one thread, which takes what there is at once."""

    def __init__(self, max_rows: int) -> None:
        """Hold at most `max_rows` rows, those that the thread has in hand included."""
        self._max_rows = max_rows
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._put = self._settled = 0
        self._hurry = False
        self.closed = threading.Event()

    def __len__(self) -> int:
        """Return the number of rows that wait or are in hand."""
        return self._rows

    @property
    def age(self) -> float:
        """The seconds that the oldest row has been waiting."""
        with self._changed:
            return time.monotonic() - self._waiting[0].since if self._waiting else 0.0

    def put(self, answered: PredictionBatch) -> bool:
        """Take rows in; return whether there was room for them."""
        with self._changed:
            if self._rows + len(answered) > self._max_rows or self.closed.is_set():
                return False
            self._waiting.append(_Waiting(time.monotonic(), answered))
            self._rows += len(answered)
            self._put += 1
            if len(self._waiting) == 1:
                self._changed.notify_all()
            return True

    def gather(self, seconds: float, max_rows: int) -> list[PredictionBatch]:
        """Wait until a row has waited so long, or there are enough; return the oldest, or nothing at the end.

        They stay in the queue until they are settled. More than `max_rows` come only if they were put as one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.closed.is_set())
            # Counted from when it came: what came while the last rows were written has waited already.
            left = self._waiting[0].since + seconds - time.monotonic() if self._waiting else 0.0
            if left > 0:
                self._changed.wait_for(lambda: self._hurry or self.closed.is_set() or self._rows >= max_rows, left)
            batch: list[PredictionBatch] = []
            rows = 0
            for _, answered in self._waiting:
                rows += len(answered)
                if batch and rows > max_rows:
                    break
                batch.append(answered)
            return batch

    def settle(self, batch: list[PredictionBatch]) -> None:
        """Let go of what `gather` has returned."""
        with self._changed:
            for answered in batch:
                self._waiting.popleft()
                self._rows -= len(answered)
            self._settled += len(batch)
            self._hurry = self._hurry and bool(self._waiting)
            self._changed.notify_all()

    def flush(self, within: float) -> bool:
        """Wait until all that has been put is settled; return whether it is, after so many seconds at most."""
        with self._changed:
            target, self._hurry = self._put, True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= target, within)

    def close(self) -> None:
        """Take no more rows, and let the thread end once it has settled those that are here."""
        with self._changed:
            self.closed.set()
            self._changed.notify_all()
