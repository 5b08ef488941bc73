"""The job that trims the audit log: the monitor is the one service that may delete entries."""

import logging

from common.store import Store, StoreError

logger = logging.getLogger(__name__)


class OldEntries:
    """Deletes the oldest entries of the audit log, if there are too many."""

    def __init__(self, store: Store) -> None:
        """Delete in `store`."""
        self._store = store

    def run(self) -> None:
        """Trim the log. While the store is away, the evaluation says so in an alert."""
        try:
            self._store.audit.trim()
        except StoreError as error:
            logger.info("the audit log will be trimmed later: %s", error)
