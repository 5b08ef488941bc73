"""The export of old days in a subprocess, before retention deletes their rows."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from common.settings import Settings
from common.store import Store
from monitor.jobs.job_alerts import JobAlerts
from monitor.jobs.retention import Sweep
from monitor.jobs.subprocess_job import JobError, SubprocessJob

COMMAND = (sys.executable, "-m", "monitor.exporting_days")
WITHIN = 3_600.0  # seconds
JOB = "export of old predictions"
DAY = timedelta(days=1)
# Rows that waited in a spool reach the log late. Without this hour, a limit in bytes would let a day go at midnight.
LATE = timedelta(hours=1)

logger = logging.getLogger(__name__)


class DayExport:
    """Exports whole days in UTC; rows of a day that is not exported stay."""

    def __init__(self, settings: Settings, store: Store, alerts: JobAlerts, command: Sequence[str] = COMMAND) -> None:
        """Export rows of `store` by `command`, if the settings name a folder."""
        self._settings, self._store, self._alerts, self._command = settings, store, alerts, command
        self._running: SubprocessJob | None = None

    def __call__(self, sweep: Sweep) -> Sweep:
        """Export the days that a sweep is about; return the sweep, up to the end of the last exported day.

        Raises:
            StoreError: the store does not answer.
        """
        if not self._settings.export_predictions:
            return sweep
        part = "truths" if sweep.with_truth else "all"
        midnight = _begin((sweep.before - LATE).astimezone(UTC).date())
        if not self._ends_exported(sweep, part, midnight):
            self._running = SubprocessJob(
                (*self._command, sweep.problem, midnight.isoformat(), part), self._settings, WITHIN
            )
            try:
                self._running.run()
            except (JobError, OSError) as error:
                message = f"old predictions of {sweep.problem} could not be exported, and stay: {error}"
                self._alerts.failed("", JOB, message, datetime.now(UTC))
                return replace(sweep, before=self._exported_until(sweep, part, midnight))
            self._alerts.succeeded("", JOB, datetime.now(UTC))
        return replace(sweep, before=self._exported_until(sweep, part, midnight))

    def stop(self) -> None:
        """Kill a running export."""
        if self._running:
            self._running.stop()

    def _ends_exported(self, sweep: Sweep, part: str, midnight: datetime) -> bool:
        return self._exported_until(sweep, part, midnight) == midnight

    def _exported_until(self, sweep: Sweep, part: str, midnight: datetime) -> datetime:
        """Return the end of the last day such that it and all days before it are exported."""
        oldest, written = (
            self._store.retention.oldest(sweep.problem),
            self._store.retention.days.exported(sweep.problem, part),
        )
        if oldest is None:
            return midnight
        day = oldest.date()
        while day in written and _begin(day) < midnight:
            day += DAY
        return min(_begin(day), midnight)


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
