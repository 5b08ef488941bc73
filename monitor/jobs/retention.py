"""The job that deletes old rows of the prediction log, in small steps with pauses, and gives their space back."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from common.room_settings.retention import bytes_of, days_of
from common.settings import Settings
from common.store import Store, StoreError
from common.store.retention.retention import BEGIN, Place

RUN_SECONDS = 30.0  # a run ends after this time; the next run goes on where it ended
SHARE_OF_TIME = 0.2  # the share that the steps may take: the writers of the log have the rest
AGAIN = timedelta(hours=24)  # after this time a sweep begins at the oldest row again: corrections are closed meanwhile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """The rows of a problem that go: those with a ground truth or those without, from before a moment, and how many."""

    problem: str
    with_truth: bool
    before: datetime
    most: float = math.inf


@dataclass
class RetentionRun:
    """The result of a run: rows that were deleted, those of them that MLflow does not have, and pages given back."""

    deleted: int = 0
    unexported: int = 0
    pages: int = 0
    sweeps: list[Sweep] = field(default_factory=list)


class RetentionJob:
    """Deletes rows that are older than the settings say, or the oldest ones while the log is larger than they say."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        export: Callable[[Sweep], Sweep] = lambda sweep: sweep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Delete in `store`.

        Args:
            settings: how long rows stay.
            store: the store.
            export: writes rows elsewhere before they go, and returns the sweep as far as they are written.
            clock: the present time.
        """
        self._store, self._export, self._clock = store, export, clock
        self._days, self._truth_days = days_of(settings.retain_predictions), days_of(settings.retain_ground_truths)
        self._bytes = bytes_of(settings.retain_predictions)
        self._places: dict[tuple[str, bool], Place] = {}
        self._again_at = clock() + AGAIN
        self._stopped = threading.Event()

    def run(self) -> RetentionRun:
        """Delete for a while. While the store is away, the evaluation says so in an alert."""
        done, until = RetentionRun(), time.monotonic() + RUN_SECONDS
        try:
            for each in self.sweeps():
                sweep = self._export(each)
                done.sweeps.append(sweep)
                self._sweep(sweep, done, until)
            self._give_back(done, until)
        except StoreError as error:
            logger.info("old predictions will be deleted later: %s", error)
        if done.deleted:
            logger.info("%d old rows of the prediction log are deleted", done.deleted)
        if done.unexported:
            logger.warning("MLflow's external log never had %d of the deleted rows", done.unexported)
        return done

    def stop(self) -> None:
        """End a running job after its present step."""
        self._stopped.set()

    def sweeps(self) -> Iterator[Sweep]:
        """Yield what the settings ask for now."""
        if not (self._days or self._bytes or self._truth_days):
            return
        now = self._clock()
        if now >= self._again_at:
            self._places, self._again_at = {}, now + AGAIN
        for problem in dict.fromkeys(problem for problem, _ in self._store.history.models()):
            if self._days:
                yield Sweep(problem, with_truth=False, before=now - timedelta(days=self._days))
            if self._truth_days:
                yield Sweep(problem, with_truth=True, before=now - timedelta(days=self._truth_days))
        yield from self._by_size(now)

    def _by_size(self, now: datetime) -> Iterator[Sweep]:
        """Yield a sweep of the problem with the oldest row, if the log is larger than it may be."""
        size = self._store.retention.sizes.now() if self._bytes else None
        if size is None or self._bytes is None or not size.row_bytes or size.used <= self._bytes:
            return
        problems = dict.fromkeys(problem for problem, _ in self._store.history.models())
        starts = {problem: self._place(problem).at for problem in problems}
        oldest = {problem: max(at, starts[problem]) for problem in problems if (at := self._oldest(problem))}
        for problem in sorted(oldest, key=lambda each: oldest[each])[:1]:
            yield Sweep(problem, with_truth=False, before=now, most=(size.used - self._bytes) / size.row_bytes)

    def _oldest(self, problem: str) -> datetime | None:
        return self._store.retention.oldest(problem)

    def _place(self, problem: str, with_truth: bool = False) -> Place:  # noqa: FBT001, FBT002  # a key
        return self._places.get((problem, with_truth), BEGIN)

    def _sweep(self, sweep: Sweep, done: RetentionRun, until: float) -> None:
        key, start = (sweep.problem, sweep.with_truth), done.deleted
        while not self._stopped.is_set() and time.monotonic() < until and done.deleted - start < sweep.most:
            begin = time.monotonic()
            place = self._place(*key)
            step = self._store.retention.step(sweep.problem, place, sweep.before, with_truth=sweep.with_truth)
            done.deleted += step.deleted
            done.unexported += step.unexported
            if step.end is None:
                return
            self._places[key] = step.end
            self._pause(begin)

    def _give_back(self, done: RetentionRun, until: float) -> None:
        # Also without a limit: rows of an erased person leave free pages, too.
        while not self._stopped.is_set() and time.monotonic() < until:
            begin = time.monotonic()
            if not (pages := self._store.retention.sizes.give_back()):
                return
            done.pages += pages
            self._pause(begin)

    def _pause(self, begin: float) -> None:
        self._stopped.wait((time.monotonic() - begin) * (1 / SHARE_OF_TIME - 1))
