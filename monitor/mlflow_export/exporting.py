"""Exporting from the store to the external log: each export is claimed, logged, and only then finished.

A process that is killed in between leaves an unfinished export. The next one logs it again, to the same run, step and
file.
"""

import asyncio
import logging
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial

from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from common.bundle.model import ModelError
from common.registry.client import Registry, RegistryError, RegistryUnavailableError
from common.settings import Settings
from common.signing.check import check_of  # room: signing
from common.store import Store
from common.store.monitoring.exports import Export, day_bounds
from common.store.process_lock import process_lock
from common.store.statistics import Span
from monitor.follow_registry import read_bundle
from monitor.mlflow_export.mlflow_metrics import day_metrics, export_metrics
from monitor.mlflow_export.mlflow_runs import EXPORTS, LAST_EXPORT, PROFILES, DayRuns
from monitor.mlflow_export.profile import Profile
from monitor.mlflow_export.report import can_report, html_report
from monitor.statistics.reference import Reference
from monitor.statistics.window import evaluate

# Ground truth arrives late: the quality of this many days with predictions is logged again.
LATE_DAYS = 31
REPORT = "reports/evidently.html"
REPORT_ROWS = 10_000  # of each day; with more rows a report is slower and no clearer

logger = logging.getLogger(__name__)


def export_all(settings: Settings, limit: int) -> str:
    """Export what has been predicted until now, in batches of so many rows at most; return in a sentence what was done.

    Raises:
        StoreError: the store does not answer.
        RegistryUnavailableError: MLflow does not answer.
        RegistryError: MLflow answers with an error.
    """
    with (
        closing(Store(settings.database_url)) as store,
        process_lock(settings.database_url, "exporting") as is_only_exporter,
    ):
        if not is_only_exporter:
            return "another process is writing the external log"
        try:
            return ExternalLog(store, settings).write_all(limit)
        except RegistryUnavailableError:
            raise
        except (MlflowException, OSError) as error:
            raise RegistryError(f"MLflow at {settings.mlflow_uri}: {str(error).splitlines()[0]}") from error


class ExternalLog:
    """The monitoring experiments in MLflow. Only one process may write them at a time.

    Raises:
        StoreError: from `write_all`, when the store does not answer.
        MlflowException, OSError: from `write_all`, when MLflow answers with an error.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        """Write the predictions in `store` to the MLflow of `settings`."""
        self._store = store
        self._runs = cache(partial(DayRuns, settings.mlflow_uri))
        self._reference = cache(partial(_reference, settings))

    def write_all(self, limit: int) -> str:
        """Write the unfinished exports, then new ones; return a summary in one sentence."""
        # Later predictions wait for the next run: otherwise this one might never end.
        started = datetime.now(UTC)
        written = [self._write(export) for export in self._store.exports.unfinished()]
        while export := self._store.exports.claim(limit, started):
            written.append(self._write(export))
        for problem in {problem for problem, _ in self._store.history.days()}:
            for run in self._runs(problem).newest(LATE_DAYS):
                self._log_day(problem, run)
        if can_report():
            for day in dict.fromkeys((each.problem, each.model_name, each.day) for each in written):
                self._report(*day)
        return f"exported {sum(each.rows for each in written)} rows in {len(written)} exports"

    def _write(self, export: Export) -> Export:
        runs = self._runs(export.problem)
        run_id = runs.of(export.model_name, export.day)
        rows = self._store.exports.rows(export)
        # The number is unique in its store; with the time it is unique after a new store was begun, too.
        name = f"{export.id}-{export.claimed_at:%Y%m%dT%H%M%S%f}.json"
        written = runs.profiles(run_id)
        path = next((each for each in written if each.endswith(f"-{name}")), None)
        profile = Profile.of(rows)
        if path is None:
            step = len(written) + 1
            path = f"{PROFILES}/{step:05d}-{name}"
            evaluation = evaluate(
                (row for row in rows if row["role"] == "champion"), self._reference(export.model_name)
            )
            at = max((row["predicted_at"] for row in rows), default=day_bounds(export.day)[0])
            # A crash may have left this export's metrics in the run, computed against another champion. Logging again
            # would add a second set at the same step.
            if runs.get(run_id).data.tags.get(LAST_EXPORT) != name:
                runs.log(
                    run_id, export_metrics(evaluation, profile.rows) | {EXPORTS: step}, step, at, {LAST_EXPORT: name}
                )
        # The profile is written after the metrics, so that its presence proves theirs.
        runs.put(run_id, path, profile.to_json())
        # The day is logged before the export is finished: `write_all` logs the newest days only.
        self._log_day(export.problem, runs.get(run_id))
        self._store.exports.finish(export, run_id)
        return export

    def _log_day(self, problem: str, run: Run) -> None:
        tags, logged, history = run.data.tags, run.data.metrics, self._store.history
        day = date.fromisoformat(tags["day"])
        span = Span(problem, tags["model_name"], day, day)
        metrics = day_metrics(history.volumes(span), history.labels(span), history.delays(span))
        new = {name: value for name, value in metrics.items() if logged.get(name) != value}
        self._runs(problem).log(run.info.run_id, new, int(logged.get(EXPORTS, 0)), datetime.now(UTC))

    def _report(self, problem: str, model_name: str, day: date) -> None:
        begin, end = day_bounds(day)
        answers = self._store.window_rows
        rows = list(answers.between(problem, begin, end, REPORT_ROWS))
        day_before = list(answers.between(problem, begin - timedelta(days=1), begin, REPORT_ROWS))
        runs = self._runs(problem)
        try:
            html = html_report(rows, day_before)
        except Exception:  # the report is optional: all numbers are logged already
            logger.exception("the report of %s on %s could not be made", model_name, day)
        else:
            runs.put(runs.of(model_name, day), REPORT, html)


def _reference(settings: Settings, model_name: str) -> Reference | None:
    try:
        return asyncio.run(_served_reference(settings, model_name))
    except (RegistryError, ModelError) as error:
        logger.warning("%s has no reference: %s", model_name, error)
        return None


async def _served_reference(settings: Settings, model_name: str) -> Reference | None:
    async with Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds) as registry:
        registry.check = check_of(settings)  # room: signing
        if (version := await registry.serving_version(model_name)) is None:
            return None
        content = await registry.download(version)
    return read_bundle(version, content)
