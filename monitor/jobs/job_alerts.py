"""Alerts about the monitor's own jobs: a failed run opens one, and the next successful run closes it."""

import logging
import threading
from datetime import datetime

from common.store import Store, StoreError
from common.store.monitoring.alerts import Changed
from monitor.statistics.breaches import RUN_FAILED

logger = logging.getLogger(__name__)


class JobAlerts:
    """Opens and closes alerts of the kind `RUN_FAILED`, whose subject is the job.

    If the store itself is down, the failure is remembered, and written as soon as the store answers.
    """

    def __init__(self, store: Store) -> None:
        """Keep the alerts in `store`."""
        self._store = store
        self._lock = threading.Lock()  # jobs run at the same time, and each one writes the alerts of all jobs
        self._unwritten: dict[tuple[str, str], tuple[str, datetime]] = {}

    def failed(self, problem: str, job: str, message: str, at: datetime) -> None:
        """Note that a run has failed; `problem` is "" for a job that belongs to no problem."""
        with self._lock:
            self._unwritten.setdefault((problem, job), (message, at))
            try:
                self._write_failure(problem, job)
            except StoreError as error:
                logger.warning("the failure of the %s will be written later: %s", job, error)

    def succeeded(self, problem: str, job: str, at: datetime) -> None:
        """Note that a run has succeeded.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._lock:
            self._write_failure(problem, job)
            self._settle(problem, job, None, at)

    def _write_failure(self, problem: str, job: str) -> None:
        if failure := self._unwritten.get((problem, job)):
            self._settle(problem, job, *failure)
            del self._unwritten[problem, job]

    def _settle(self, problem: str, job: str, message: str | None, at: datetime) -> None:
        failing = [alert for alert in self._store.alerts.open(problem) if alert.kind == RUN_FAILED]
        found = {(RUN_FAILED, alert.subject): alert.message for alert in failing}
        was_open = found.pop((RUN_FAILED, job), None) is not None
        if message is not None:
            found[RUN_FAILED, job] = message
        if message is not None or was_open:
            log_changes(self._store.alerts.settle(problem, {RUN_FAILED}, found, at))


def log_changes(changed: Changed) -> None:
    """Log the alerts that have begun, and those that have ended."""
    for alert in changed.began:
        logger.error("%s: %s", alert.problem or "monitor", alert.message)
    for alert in changed.ended:
        logger.warning("%s: ended at %s: %s", alert.problem or "monitor", alert.ended_at, alert.message)
