"""The job that evaluates the due windows of every problem, in order."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from common.store import Store, StoreError
from common.store.monitoring.windows import WindowRecord
from common.store.statistics import Span
from monitor.follow_registry import References
from monitor.jobs.job_alerts import JobAlerts, log_changes
from monitor.statistics.breaches import ALL_KINDS, breaches, looked_for
from monitor.statistics.digits import number_text
from monitor.statistics.enough import LABELS
from monitor.statistics.performance import Measured, measured
from monitor.statistics.reference import Results
from monitor.statistics.window import WINDOWS_KEPT, Evaluation, evaluate

if TYPE_CHECKING:
    from common.store.monitoring.window_rows import Cells
JOB = "evaluation"
# An api writes its log at most a quarter of a second late, unless the store is away: after this time it is complete.
SETTLED = timedelta(seconds=2)
MOST_MISSED = 60  # windows; earlier ones are skipped
MOST_ROWS = 100_000  # the newest rows of a window
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Found = TypeVar("Found")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """The interval between the ends of two windows, and the length of a window."""

    every: timedelta
    length: timedelta

    def due(self, newest: datetime | None, now: datetime) -> list[datetime]:
        """Return the ends of the windows after `newest` that are due at `now`; without `newest`, the last one."""
        last = self._floor(now - SETTLED)
        first = last if newest is None else self._floor(newest) + self.every
        return [first + number * self.every for number in range((last - first) // self.every + 1)]

    def _floor(self, moment: datetime) -> datetime:
        return EPOCH + (moment - EPOCH) // self.every * self.every


class Evaluator:
    """Evaluates the due windows, stores the results, and opens and closes alerts.

    Windows end at multiples of the interval, so that a second run makes the same windows. A window without predictions
    is stored, too: it has no breaches, and ends alerts.
    """

    def __init__(
        self,
        store: Store,
        references: References,
        alerts: JobAlerts,
        pace: Pace,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Evaluate the predictions in `store`."""
        self._store = store
        self._references = references
        self._alerts = alerts
        self._pace, self._clock = pace, clock
        self._started = clock()
        self._stopping = threading.Event()
        self._was_away = False

    def stop(self) -> None:
        """End a running `run` after its present window."""
        self._stopping.set()

    def run(self) -> None:
        """Evaluate the due windows; a failure for one problem opens an alert and does not stop the others."""
        now = self._clock()
        models = self._guarded("", self._store.history.models, now)
        # After an outage of the store the apis first write the predictions that have waited. The next run finds them.
        was_away, self._was_away = self._was_away, models is None
        if was_away:
            return
        if models == []:
            self._say("all problems", self._pace.due(None, now)[-1], "0 predictions; none in the store yet")
        for problem, model_name in dict(models or []).items():
            self._guarded(problem, partial(self._catch_up, problem, model_name, now), now)

    def _say(self, problem: str, ended_at: datetime, what: str) -> None:
        began_at = ended_at - self._pace.length
        logger.info("%s, %s to %s: %s", problem, f"{began_at:%H:%M:%S}", f"{ended_at:%H:%M:%S}", what)

    def _guarded(self, problem: str, work: Callable[[], Found], now: datetime) -> Found | None:
        try:
            # None means that nothing was done: that is no success.
            if (found := work()) is not None:
                self._alerts.succeeded(problem, JOB, now)
            return found
        except Exception as error:  # an unexpected error must not end the job for the other problems
            expected = isinstance(error, StoreError)
            reason = str(error) if expected else f"{type(error).__name__}: {error}"
            logger.error("the evaluation of %s failed: %s", problem or "all problems", reason, exc_info=not expected)
            self._alerts.failed(problem, JOB, f"the evaluation failed: {reason}", now)
            return None

    def _catch_up(self, problem: str, model_name: str, now: datetime) -> bool | None:
        """Evaluate the due windows of a problem; return None if that could not begin, or was stopped."""
        # The follower reads the reference in its first seconds. Windows before that would have no verdict.
        if not self._references.knows(model_name) and now - self._started < self._pace.every:
            return None
        newest = self._store.windows.newest(problem)
        if newest and newest.ended_at > now + self._pace.every:  # the clock has been set back since
            self._store.windows.delete_after(problem, now)
            newest = self._store.windows.newest(problem)
        due = self._pace.due(newest.ended_at if newest else None, now)
        if skipped := due[:-MOST_MISSED]:
            logger.warning("%s: %d windows up to %s were missed and are skipped", problem, len(skipped), skipped[-1])
        for ended_at in due[-MOST_MISSED:]:
            if self._stopping.is_set():
                return None
            self._evaluate(problem, model_name, ended_at)
        if due:
            self._store.windows.delete_before(problem, now - WINDOWS_KEPT)
        return True

    def _evaluate(self, problem: str, model_name: str, ended_at: datetime) -> None:
        began_at = ended_at - self._pace.length
        # `knows` comes first, because the follower may read the reference between the two calls.
        known, reference = self._references.knows(model_name), self._references.of(model_name)
        evaluation = evaluate(self._store.window_rows.between(problem, began_at, ended_at, MOST_ROWS), reference)
        if reference and reference.tested:
            labels = self._store.window_rows.labels(problem, reference.version, began_at, ended_at)
            days = Span(problem, model_name, (ended_at - WINDOWS_KEPT).date(), ended_at.date(), (reference.version,))
            performance = [*measured(labels, reference.tested), *self._on_newest_day(days, reference.tested)]
            evaluation = evaluation.model_copy(update={"performance": performance})
        # Without a reference there are no limits any more, so that all alerts end.
        kinds = ALL_KINDS if reference is None and known else looked_for(evaluation)
        # The window is written last. A run that is killed before that settles the same alerts again.
        log_changes(self._store.alerts.settle(problem, kinds, breaches(evaluation), ended_at))
        self._store.windows.write(
            WindowRecord(
                problem=problem,
                model_name=model_name,
                model_version=reference.version if reference else None,
                began_at=began_at,
                ended_at=ended_at,
                rows=evaluation.rows,
                outliers=evaluation.outliers,
                evaluation=evaluation.model_dump(mode="json"),
            )
        )
        self._say(problem, ended_at, summary(evaluation))

    def _on_newest_day(self, span: Span, tested: Results) -> list[Measured]:
        """Measure the newest day with enough labels: ground truth arrives late, and each day begins without any."""
        days: defaultdict[date, Cells] = defaultdict(dict)
        for each in self._store.history.labels(span):
            if each.role == "champion":
                days[each.day][each.true_class, each.predicted_class] = each.labels
        newest = max((day for day, labels in days.items() if sum(labels.values()) >= LABELS), default=span.until)
        return measured(days[newest], tested, newest)


def summary(evaluation: Evaluation) -> str:
    """Return the main numbers of a window in one line."""
    means = [f"{name} {number_text(each.mean)}" for name, each in evaluation.features.items() if each.mean is not None]
    classes = [f"{name} {share:.1%}" for name, share in evaluation.class_shares.items()]
    outliers, confidence = evaluation.outlier_ratio, evaluation.confidence_mean
    parts = [
        f"{evaluation.rows} predictions",
        *([f"{outliers:.1%} outliers"] if outliers is not None else []),
        *([f"mean confidence {confidence:.3f}"] if confidence is not None else []),
        *([f"classes {', '.join(classes)}"] if classes else []),
        *([f"means {', '.join(means)}"] if means else []),
        f"out of bounds: {', '.join(' '.join(breach).strip() for breach in breaches(evaluation)) or 'nothing'}",
    ]
    return "; ".join(parts)
