"""Whether the monitor's own jobs go well: a run that fails is an alert, until one goes well again."""

import logging
import threading
from datetime import datetime

from common.store import Store, StoreError
from common.store.monitoring.alerts import Changed

RUN_FAILED = "run_failed"

logger = logging.getLogger(__name__)


class Runs:
    """Opens and closes alerts of the kind `RUN_FAILED`, whose subject is the job.

    A failure that cannot be written, because the store is what fails, is written before the next success.
    """

    def __init__(self, store: Store) -> None:
        """Keep the alerts in `store`."""
        self._store = store
        self._lock = threading.Lock()  # jobs run beside each other, and each settles the alerts of all
        self._untold: dict[tuple[str, str], tuple[str, datetime]] = {}

    def failed(self, problem: str, job: str, message: str, at: datetime) -> None:
        """Note that a run has failed; `problem` is "" if it was for none."""
        with self._lock:
            self._untold.setdefault((problem, job), (message, at))
            try:
                self._tell(problem, job)
            except StoreError as error:
                logger.warning("that the %s fails is told later: %s", job, error)

    def succeeded(self, problem: str, job: str, at: datetime) -> None:
        """Note that a run went well.

        Raises:
            StoreError: the store does not take it.
        """
        with self._lock:
            self._tell(problem, job)
            self._settle(problem, job, None, at)

    def _tell(self, problem: str, job: str) -> None:
        if told := self._untold.get((problem, job)):
            self._settle(problem, job, *told)
            del self._untold[problem, job]

    def _settle(self, problem: str, job: str, message: str | None, at: datetime) -> None:
        there = [alert for alert in self._store.alerts.open(problem) if alert.kind == RUN_FAILED]
        found = {(RUN_FAILED, alert.subject): alert.message for alert in there}
        was_open = found.pop((RUN_FAILED, job), None) is not None
        if message is not None:
            found[RUN_FAILED, job] = message
        if message is not None or was_open:
            log_changes(self._store.alerts.settle(problem, {RUN_FAILED}, found, at))


def log_changes(changed: Changed) -> None:
    """Log the alerts that have begun, and those that are over."""
    for alert in changed.began:
        logger.error("%s: %s", alert.problem or "monitor", alert.message)
    for alert in changed.ended:
        logger.warning("%s: it is over since %s: %s", alert.problem or "monitor", alert.ended_at, alert.message)
