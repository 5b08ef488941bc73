"""The job that watches the queue of the review: corrections that wait too long, and hours in which most look wrong.

`prometheus/alerts.yml` has the same limits, for whoever runs Prometheus.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from common.store import Store, StoreError
from common.store.monitoring.alerts import Breach
from common.store.trust.review_figures import ReviewQueue, VettedShare
from monitor.jobs.job_alerts import log_changes
from monitor.statistics.breaches import MANY_QUARANTINED, REVIEW_KINDS, REVIEWS_WAITING
from monitor.statistics.digits import limit_text

LONGEST = timedelta(days=1)  # in quarantine
HOUR = timedelta(hours=1)
LARGE_SHARE = 0.5  # of the corrections of an hour
LEAST = 20  # corrections of an hour; fewer show nothing

logger = logging.getLogger(__name__)


class ReviewAlerts:
    """Opens and closes alerts about the queue of each problem."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Watch the corrections in `store`, and keep the alerts there."""
        self._store, self._clock = store, clock
        self._store_is_away = False

    def run(self) -> None:
        """Look at each problem."""
        try:
            self._settle(self._clock())
            self._store_is_away = False
        except StoreError as error:
            # Logged once, not at each run.
            if not self._store_is_away:
                logger.warning("the queue of the review cannot be watched: %s", error)
            self._store_is_away = True

    def _settle(self, now: datetime) -> None:
        figures, alerts = self._store.trust.review_figures, self._store.alerts
        queues = {each.problem: each for each in figures.queues()}
        open_ones = {each.problem for each in alerts.open() if each.kind in REVIEW_KINDS}
        for problem in sorted({*queues, *open_ones, *(name for name, _ in self._store.history.models())}):
            share = figures.share(problem, now - HOUR)
            found = dict(_found(queues.get(problem), share, now))
            log_changes(alerts.settle(problem, REVIEW_KINDS, found, now))


def _found(queue: ReviewQueue | None, share: VettedShare, now: datetime) -> Iterator[tuple[Breach, str]]:
    """Yield what somebody should see to, each with a message."""
    if queue and now - queue.since > LONGEST:
        corrections = f"{queue.corrections:,} correction{'s' if queue.corrections > 1 else ''}"
        message = (
            f"{corrections} in quarantine, the first since {queue.since:%Y-%m-%d %H:%M} (UTC), which is more than a "
            "day; no version learns from them until a reviewer approves them, on the tab Corrections or with "
            "POST /corrections/review"
        )
        yield (REVIEWS_WAITING, ""), message
    if share.vetted >= LEAST and share.quarantined > LARGE_SHARE * share.vetted:
        message = (
            f"vetting has quarantined {share.quarantined:,} of the {share.vetted:,} corrections of the last hour; up "
            f"to {limit_text(LARGE_SHARE)} is allowed; somebody is trying something, or the world has changed: send "
            "the ground truth of some predictions, or review these corrections"
        )
        yield (MANY_QUARANTINED, ""), message
