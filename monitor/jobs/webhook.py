"""Posts each alert to the webhook once, and tries again until the receiver accepts it."""

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
GIVE_UP = timedelta(days=1)  # an older alert is no news

logger = logging.getLogger(__name__)


class Webhook:
    """Posts due alerts to a URL. The store holds the number of attempts and the time of the next one.

    Without a URL each alert is marked as never to be posted, so that a URL that is set later receives only new alerts.
    Receivers should recognise an alert by its id (`id`, and the header `Idempotency-Key`): a monitor that is killed
    between the receiver's answer and its own note posts the alert a second time.
    """

    def __init__(
        self,
        store: Store,
        url: str | None,
        page_url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
    ) -> None:
        """Post the alerts in `store`; `page_url` is the address of the monitor's page, for the message."""
        self._store, self._url, self._page_url = store, url, page_url
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311  # for spreading attempts, not for secrets
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS)
        self._accepted: set[int] = set()  # ids that the store does not know yet as posted
        self._stopping = threading.Event()
        self._store_is_away = False

    def stop(self) -> None:
        """End a running `run` after its present alert."""
        self._stopping.set()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def run(self) -> None:
        """Post the due alerts."""
        try:
            for alert in self._store.alerts.due(self._clock(), AT_ONCE):
                if self._stopping.is_set() or not self._handle(alert):
                    break
            self._store_is_away = False
        except StoreError as error:
            # Logged once, not at each run.
            if not self._store_is_away:
                logger.warning("alerts cannot be posted: %s", error)
            self._store_is_away = True

    def _handle(self, alert: Alert) -> bool:
        """Post an alert and note the result; return False if the receiver does not work."""
        now = self._clock()
        if self._url is None:
            self._store.alerts.delivery_failed(alert.id, "ALERT_WEBHOOK_URL is not set", NEVER)
        elif (error := self._post(self._url, alert)) is None:
            self._store.alerts.delivered(alert.id, now)
            self._accepted.discard(alert.id)
        else:
            wait = pause(alert.attempts, FIRST_PAUSE, LONGEST_PAUSE, self._rng)
            again = now + wait if now - alert.began_at < GIVE_UP else NEVER
            next_attempt = "no further attempt" if again == NEVER else f"next attempt at {again:%H:%M:%S}"
            logger.warning("alert %d was not posted (%s): %s", alert.id, error, next_attempt)
            self._store.alerts.delivery_failed(alert.id, error, again)
            return False
        return True

    def _post(self, url: str, alert: Alert) -> str | None:
        """Return the reason why the receiver did not accept the alert; None if it did."""
        if alert.id in self._accepted:
            return None
        try:
            headers = {"Idempotency-Key": f"alert-{alert.id}-{alert.began_at.isoformat()}"}
            response = self._http.post(url, json=self._payload(alert), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"
        if not response.is_success:
            return f"status {response.status_code}"
        self._accepted.add(alert.id)
        return None

    def _payload(self, alert: Alert) -> dict[str, str | int | None]:
        query = f"/?{urlencode({'problem': alert.problem})}" if alert.problem else "/"
        return {
            **{name: getattr(alert, name) for name in ("id", "problem", "kind", "subject", "message")},
            "began_at": alert.began_at.isoformat(),
            "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
            "monitor": f"{self._page_url}{query}",
        }
