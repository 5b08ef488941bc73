"""When the monitor does what: windows, posting, the external log; from start to stop."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from common.settings import Settings
from common.store import Store
from monitor.follow_registry import References
from monitor.jobs.evaluation import EPOCH, JOB, SETTLED, Evaluator, Pace
from monitor.jobs.job_alerts import Runs
from monitor.jobs.subprocess_job import Child, ChildError
from monitor.jobs.webhook import Webhook

EXTERNAL_LOG = "external log"
EXPORT = (sys.executable, "-m", "monitor.external_log")
EXPORT_WITHIN = 1800.0  # seconds
POST_SECONDS = 2

logger = logging.getLogger(__name__)


class Schedule:
    """The monitor's jobs, on threads of their own. None runs beside itself, and late is better than not at all."""

    def __init__(self, settings: Settings, store: Store, references: References) -> None:
        """Set up the jobs; nothing runs before `start`."""
        self._store = store
        self._runs = Runs(store)
        pace = Pace(timedelta(seconds=settings.evaluate_seconds), timedelta(seconds=settings.window_seconds))
        self._evaluator = Evaluator(store, references, self._runs, pace)
        url = settings.alert_webhook_url
        self._webhook = Webhook(store, url.get_secret_value() if url else None, settings.monitor_page)
        self._export = Child(EXPORT, settings, EXPORT_WITHIN)
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(3)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        # As soon as the log is complete up to a multiple of the interval.
        self._add(JOB, self._evaluator.run, settings.evaluate_seconds, EPOCH + SETTLED)
        self._add("posting", self._webhook.run, POST_SECONDS, EPOCH)
        self._add(EXTERNAL_LOG, self.export, settings.export_seconds, EPOCH + SETTLED)

    def _add(self, name: str, job: Callable[[], None], seconds: int, since: datetime) -> None:
        self._scheduler.add_job(job, id=name, trigger=IntervalTrigger(seconds=seconds, start_date=since, timezone=UTC))

    def start(self) -> None:
        """Begin: each job runs at the next multiple of its interval."""
        self._scheduler.start()

    def stop(self) -> None:
        """End: what is under way comes to its next halt, and no thread or process is left."""
        self._evaluator.stop()
        self._webhook.stop()
        self._export.stop()
        self._scheduler.shutdown()
        self._webhook.close()

    def export(self) -> None:
        """Write to the external log, in a process of its own; that it fails is an alert."""
        try:
            ended = self._export.run()
        except (ChildError, OSError) as error:
            self._runs.failed("", EXTERNAL_LOG, f"the external log was not written: {error}", datetime.now(UTC))
        else:
            if ended:
                self._runs.succeeded("", EXTERNAL_LOG, datetime.now(UTC))
