"""A prediction log that writes one row of ten while the disk is nearly full, and counts all answers."""

import logging
import time
from collections.abc import Callable, Sequence
from zlib import crc32

from api.metrics.declared import Metrics
from common.disk_space import Disk, looking
from common.settings import Settings
from common.store import Store, StoreError
from common.store.predictions import PredictionRow

ONE_IN = 10
LOOK_SECONDS = 5.0

logger = logging.getLogger(__name__)


class SampledLog:
    """Writes rows as `LoggedPredictions` does, sampled by their ids.

    A champion's and a challenger's answer have one id: both are written, or neither is. Rows that are left out count in
    every roll-up, in `missing_rows` of the store, and in `prediction_log_left_out_total`. A ground truth of such a
    prediction is refused as one of an unknown id.
    """

    def __init__(
        self, store: Store, settings: Settings, metrics: Metrics, look: Callable[[], list[Disk]] | None = None
    ) -> None:
        """Write to `store`; `look` returns the disks, by default those of the store and of the lab's state."""
        # Nothing is read from the store here: a damaged one, which keeps rows in a spool, is opened later.
        self._store = store
        self._limit = settings.disk_limit_percent
        self._look = look or looking(settings, store.retention.sizes.on_server)
        self._look_at, self._is_full = 0.0, False
        self._left_out = metrics.counter(
            "prediction_log_left_out",
            "Answers that are counted, but not written to the log, for want of disk.",
        )

    def write(self, rows: Sequence[PredictionRow], *, durable: bool = False) -> int:
        """Write the rows, or one of ten, and count all of them; return how many are written."""
        if not self._samples():
            return self._store.predictions.write(rows, durable=durable)
        kept = [row for row in rows if crc32(row["id"].encode()) % ONE_IN == 0]
        left_out = [row for row in rows if crc32(row["id"].encode()) % ONE_IN]
        self._store.retention.write_some(self._store.predictions, kept, left_out, durable=durable)
        self._left_out.inc(len(left_out))
        return len(kept)

    def _samples(self) -> bool:
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            try:
                found = self._look()
            except StoreError as error:  # the writing will say what is wrong, if it is wrong for the rows, too
                logger.info("the size of the store is not known: %s", error)
                return self._is_full
            full = [each for each in found if each.is_full(self._limit, was_full=self._is_full)]
            if bool(full) != self._is_full:
                self._is_full = bool(full)
                self._say(full or found)
        return self._is_full

    def _say(self, found: Sequence[Disk]) -> None:
        for each in found:
            state = f"the disk of {each.folder} is {each.used:.0%} full, {each.free / 1e9:.1f} GB are free"
            if self._is_full:
                logger.error("%s: from now on the prediction log keeps one row of %d; all are counted", state, ONE_IN)
            else:
                logger.warning("%s: the prediction log keeps every row again", state)
