"""The disk and the prediction log on it: how full, how large, since when, and for how many days it lasts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from common.disk_space import Disk, folders_of, looking, size_of_server
from common.room_settings.retention import bytes_of, days_of
from common.settings import Settings
from common.store import Store
from common.store.retention.log_size import LogSize
from common.store.retention.missing_rows import Reason
from common.store.statistics import Span

DAY = timedelta(days=1)


@dataclass(frozen=True)
class StorageFigures:
    """The figures of a moment.

    Attributes:
        disks: those of the lab's state and of the store; the store's is known for SQLite, and by `STORE_DISK`.
        log: the size of the log of all problems.
        oldest: the time of each problem's oldest row; a problem without rows is missing.
        missing: rows that the roll-ups count and that the log does not have, by problem and reason.
        rows_a_day: rows that were written yesterday (UTC).
        days_left: days until the log fills its disk at that rate, infinity without rows; None if nobody knows, or if
            retention keeps it from doing so.
    """

    disks: Sequence[Disk] = ()
    log: LogSize = field(default_factory=lambda: LogSize(0, 0, 0, gives_back=False))
    oldest: Mapping[str, datetime] = field(default_factory=dict)
    missing: Mapping[tuple[str, Reason], int] = field(default_factory=dict)
    rows_a_day: int = 0
    days_left: float | None = None


class Storage:
    """Reads the figures; the cost does not depend on the number of predictions."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        look: Callable[[], list[Disk]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read `store`; `look` returns the disks, by default those of the store and of the lab's state."""
        self.limit_percent, self.retained = settings.disk_limit_percent, settings.retain_predictions
        self._store, self._clock = store, clock
        self._knows_store = len(folders_of(settings)) > 1 or size_of_server(settings) is not None
        self._look = look or looking(settings, store.retention.sizes.on_server)

    def figures(self) -> StorageFigures:
        """Return the present figures.

        Raises:
            StoreError: the store does not answer.
        """
        retention, found = self._store.retention, self._look()
        models = self._store.history.models()
        log = retention.sizes.now()
        oldest = {problem: retention.oldest(problem) for problem, _ in models}
        known = {problem: at for problem, at in oldest.items() if at}
        yesterday = (self._clock() - DAY).date()
        spans = [Span(*model, yesterday, yesterday) for model in models]
        answered = sum(each.predictions for span in spans for each in self._store.history.volumes(span))
        left_out = sum(
            each.rows for each in retention.missing.totals(yesterday, yesterday) if each.reason == "left_out"
        )
        rows = max(answered - left_out, 0)
        return StorageFigures(
            found,
            log,
            known,
            {(each.problem, each.reason): each.rows for each in retention.missing.totals()},
            rows,
            self._days_left(found, log, rows, min(known.values(), default=None)),
        )

    def full(self, found: StorageFigures) -> list[Disk]:
        """Return the disks that are nearly full."""
        return [each for each in found.disks if each.is_full(self.limit_percent)]

    def _days_left(self, found: Sequence[Disk], log: LogSize, rows_a_day: int, oldest: datetime | None) -> float | None:
        # The store's disk is the last one; that of the state does not grow with the predictions.
        if not self._knows_store or not found or not log.row_bytes:
            return None
        if not rows_a_day:
            return math.inf
        days = (found[-1].free + log.free) / (rows_a_day * log.row_bytes)
        if (most := bytes_of(self.retained)) and most - log.used < found[-1].free:
            return None
        grows_for = (days_of(self.retained) or 0) - (self._clock() - oldest) / DAY if oldest else 0.0
        return None if days_of(self.retained) and days > grows_for else days
