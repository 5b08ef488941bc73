"""The job that opens an alert while the disk is nearly full, or will be within days."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from common.store import Store, StoreError
from common.store.monitoring.alerts import Breach
from monitor.jobs.job_alerts import log_changes
from monitor.statistics.breaches import DISK_FILLING, DISK_FULL, DISK_KINDS
from monitor.statistics.digits import number_text, percentage_text, size_text
from monitor.storage import Storage, StorageFigures

DAYS = 14  # fewer days left than these open an alert

logger = logging.getLogger(__name__)


class DiskAlerts:
    """Opens and closes the alerts about the disk; they belong to no problem."""

    def __init__(
        self, store: Store, storage: Storage, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Look at `storage`, and keep the alerts in `store`."""
        self._store, self._storage, self._clock = store, storage, clock

    def run(self) -> None:
        """Look once. While the store is away, the evaluation says so in an alert."""
        try:
            found = dict(self._found(self._storage.figures()))
            if found or any(each.kind in DISK_KINDS for each in self._store.alerts.open("")):
                log_changes(self._store.alerts.settle("", DISK_KINDS, found, self._clock()))
        except StoreError as error:
            logger.info("the disk will be looked at later: %s", error)

    def _found(self, figures: StorageFigures) -> Iterator[tuple[Breach, str]]:
        for each in self._storage.full(figures):
            message = (
                f"the disk of {each.folder} is {percentage_text(each.used)} full, and {size_text(each.free)} are free; "
                f"from {self._storage.limit_percent} % on the prediction log keeps one row of ten, and counts all"
            )
            yield (DISK_FULL, str(each.folder)[-256:]), message
        if figures.days_left is not None and figures.days_left < DAYS:
            message = (
                f"the disk of the prediction log is full in {number_text(figures.days_left)} days, if each day brings "
                f"{figures.rows_a_day:,} rows as yesterday; RETAIN_PREDICTIONS deletes old ones"
            )
            yield (DISK_FILLING, ""), message
