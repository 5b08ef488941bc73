"""The job that deletes the timeline's old buckets, a few in each transaction, so that the log never waits long."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from common.store import Store, StoreError

logger = logging.getLogger(__name__)


class OldBuckets:
    """Deletes buckets by ten seconds, minute and hour that are older than the store keeps them."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Delete in `store`."""
        self._store, self._clock = store, clock

    def run(self) -> None:
        """Delete some; the next run goes on. While the store is away, the evaluation says so in an alert."""
        try:
            self._store.timeline.delete_old(self._clock())
        except StoreError as error:
            logger.info("old buckets of the timeline will be deleted later: %s", error)
