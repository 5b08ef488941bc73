"""The timetable of the monitor's jobs: windows, the review, alerts, the external log, replays, the timeline."""

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
from monitor.jobs.day_export import DayExport
from monitor.jobs.disk_alerts import DiskAlerts
from monitor.jobs.evaluation import EPOCH, JOB, SETTLED, Evaluator, Pace
from monitor.jobs.job_alerts import JobAlerts
from monitor.jobs.old_buckets import OldBuckets
from monitor.jobs.old_entries import OldEntries
from monitor.jobs.replays import ReplayJob
from monitor.jobs.retention import RetentionJob
from monitor.jobs.review_alerts import ReviewAlerts
from monitor.jobs.subprocess_job import JobError, SubprocessJob
from monitor.jobs.webhook import Webhook
from monitor.statistics.breaches import MEAN_TOLERANCE, OUTLIER_LIMIT
from monitor.storage import Storage

EXTERNAL_LOG = "external log"
EXPORT = (sys.executable, "-m", "monitor.external_log")
EXPORT_WITHIN = 1800.0  # seconds
POST_SECONDS = REPLAY_SECONDS = 2

logger = logging.getLogger(__name__)


class Schedule:
    """Runs each job on a thread of its own, never twice at the same time; a late run is not skipped."""

    def __init__(self, settings: Settings, store: Store, references: References) -> None:
        """Set up the jobs; nothing runs before `start`."""
        self._store = store
        self._alerts = JobAlerts(store)
        pace = Pace(timedelta(seconds=settings.evaluate_seconds), timedelta(seconds=settings.window_seconds))
        self._watched = watched(settings)
        self._evaluator = Evaluator(store, references, self._alerts, pace)
        url = settings.alert_webhook_url
        self._webhook = Webhook(store, url.get_secret_value() if url else None, settings.monitor_page)
        self._export = SubprocessJob(EXPORT, settings, EXPORT_WITHIN)
        self._replays = ReplayJob(settings, store)
        self._day_export = DayExport(settings, store, self._alerts)
        self._retention = RetentionJob(settings, store, self._day_export)
        self._scheduler = BackgroundScheduler(
            job_defaults={"coalesce": True, "misfire_grace_time": None},
            timezone=UTC,
        )
        # The log is complete up to a multiple of the interval `SETTLED` later.
        self._add(JOB, self._evaluator.run, settings.evaluate_seconds, EPOCH + SETTLED)
        self._add("reviews", ReviewAlerts(store).run, settings.evaluate_seconds, EPOCH + SETTLED)
        self._add("old buckets", OldBuckets(store).run, settings.evaluate_seconds, EPOCH + SETTLED)
        self._add("audit log", OldEntries(store).run, settings.evaluate_seconds, EPOCH + SETTLED)
        self._add("disk", DiskAlerts(store, Storage(settings, store)).run, settings.evaluate_seconds, EPOCH + SETTLED)
        self._add("retention", self._retention.run, settings.evaluate_seconds, EPOCH + SETTLED)
        self._add("posting", self._webhook.run, POST_SECONDS, EPOCH)
        # A look for a new replay while one runs ends at once; the scheduler would warn of each that it leaves out.
        self._add("replays", self._replays.run, REPLAY_SECONDS, EPOCH, at_once=2)
        self._add(EXTERNAL_LOG, self.export, settings.export_seconds, EPOCH + SETTLED)

    def _add(self, name: str, job: Callable[[], object], seconds: int, since: datetime, at_once: int = 1) -> None:
        trigger = IntervalTrigger(seconds=seconds, start_date=since, timezone=UTC)
        # glibc keeps memory for each thread. A job that ran now on this thread and now on that would fill all of them.
        self._scheduler.add_executor(ThreadPoolExecutor(at_once), name)
        self._scheduler.add_job(job, id=name, trigger=trigger, executor=name, max_instances=at_once)

    def start(self) -> None:
        """Start the jobs: each runs at the next multiple of its interval. Say in a line what they watch."""
        logger.info(self._watched)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop the jobs at their next possible end; no thread or process is left."""
        self._evaluator.stop()
        self._webhook.stop()
        self._export.stop()
        self._replays.stop()
        self._retention.stop()
        self._day_export.stop()
        self._scheduler.shutdown()
        self._webhook.close()

    def export(self) -> None:
        """Write the external log in a subprocess; a failure opens an alert."""
        try:
            ended = self._export.run()
        except (JobError, OSError) as error:
            self._alerts.failed("", EXTERNAL_LOG, f"the external log could not be written: {error}", datetime.now(UTC))
        else:
            if ended:
                self._alerts.succeeded("", EXTERNAL_LOG, datetime.now(UTC))


def watched(settings: Settings) -> str:
    """Return one line: what the monitor watches, how often, within which limits, and where it reports."""
    return (
        f"watching the prediction log of every problem, in windows of {settings.window_seconds} s every "
        f"{settings.evaluate_seconds} s: outliers up to {OUTLIER_LIMIT:.0%}, means of features within "
        f"{MEAN_TOLERANCE:.0%} of the training rows, drift, accuracy, recall; new rows go to MLflow every "
        f"{settings.export_seconds} s; alerts are {'posted' if settings.alert_webhook_url else 'posted nowhere'}"
    )
