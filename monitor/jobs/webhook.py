"""Posts alerts to whoever wants to know: once for each episode, tried again until it is taken."""

import logging
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx

from common.store import Store, StoreError
from common.store.delivery import NEVER, pause
from common.store.monitoring.alerts import LONGEST_PAUSE, Alert

AT_ONCE = 20
TIMEOUT_SECONDS = 5.0
FIRST_PAUSE = timedelta(seconds=2)
GIVE_UP = timedelta(days=1)  # after which an alert is no news

logger = logging.getLogger(__name__)


class Webhook:
    """Posts what is due to a URL. How often it was tried, and when it is next, is in the store.

    Without a URL, what begins is told nobody, and noted so: a URL that is set later gets what begins from then on,
    not all that has been. Who is posted to should know alerts by their id (`id`, and the header `Idempotency-Key`): a
    monitor that is killed between an answer and its note posts once more.
    """

    def __init__(
        self,
        store: Store,
        url: str | None,
        page_url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
    ) -> None:
        """Post the alerts in `store`; `page_url` is where people find the monitor."""
        self._store, self._url, self._page_url = store, url, page_url
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311  # it spreads attempts, and keeps no secret
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS)
        self._taken: set[int] = set()  # and not noted yet
        self._stopping = threading.Event()
        self._store_is_away = False

    def stop(self) -> None:
        """Let a run that is under way end after the alert that it is at."""
        self._stopping.set()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def run(self) -> None:
        """Post what is due."""
        try:
            for alert in self._store.alerts.due(self._clock(), AT_ONCE):
                if self._stopping.is_set() or not self._see_to(alert):
                    break
            self._store_is_away = False
        except StoreError as error:
            # Once, not at each run.
            if not self._store_is_away:
                logger.warning("alerts are not posted: %s", error)
            self._store_is_away = True

    def _see_to(self, alert: Alert) -> bool:
        """Return whether there is any sense in going on with the next one."""
        now = self._clock()
        if self._url is None:
            self._store.alerts.post_failed(alert.id, "ALERT_WEBHOOK_URL is not set", NEVER)
        elif (error := self._post(self._url, alert)) is None:
            self._store.alerts.posted(alert.id, now)
            self._taken.discard(alert.id)
        else:
            wait = pause(alert.attempts, FIRST_PAUSE, LONGEST_PAUSE, self._rng)
            again = now + wait if now - alert.began_at < GIVE_UP else NEVER
            logger.warning("alert %d is not posted (%s): %s", alert.id, error, _when(again))
            self._store.alerts.post_failed(alert.id, error, again)
            return False
        return True

    def _post(self, url: str, alert: Alert) -> str | None:
        """Return why it was not taken; None if it was."""
        if alert.id in self._taken:
            return None
        try:
            headers = {"Idempotency-Key": f"alert-{alert.id}-{alert.began_at.isoformat()}"}
            response = self._http.post(url, json=self._told(alert), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"
        if not response.is_success:
            return f"it answers {response.status_code}"
        self._taken.add(alert.id)
        return None

    def _told(self, alert: Alert) -> dict[str, str | int | None]:
        query = f"/?{urlencode({'problem': alert.problem})}" if alert.problem else "/"
        return {
            "id": alert.id,
            "problem": alert.problem,
            "kind": alert.kind,
            "subject": alert.subject,
            "message": alert.message,
            "began_at": alert.began_at.isoformat(),
            "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
            "monitor": f"{self._page_url}{query}",
        }


def _when(again: datetime) -> str:
    return "it is given up" if again == NEVER else f"next attempt at {again:%H:%M:%S}"
