"""Windows: the monitor's evaluations of the predictions of a period."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.monitoring.tables import windows


@dataclass(frozen=True)
class WindowRecord:
    """The evaluation of the champion's predictions from `began_at` to before `ended_at`.

    `model_version` is the version whose reference the monitor compared them with; `outliers` counts rows; only the
    monitor reads `evaluation`.
    """

    problem: str
    model_name: str
    model_version: int | None
    began_at: datetime
    ended_at: datetime
    rows: int
    outliers: int
    evaluation: Mapping[str, Any]


class Windows(StorePart):
    """The windows of every problem."""

    def write(self, window: WindowRecord) -> None:
        """Write a window; it replaces a window of the problem with the same end."""
        c = windows.c
        with self._database.writing(durable=False) as connection:
            connection.execute(windows.delete().where(c.problem == window.problem, c.ended_at == window.ended_at))
            connection.execute(windows.insert().values(asdict(window)))

    def delete_before(self, problem: str, moment: datetime) -> None:
        """Delete the windows that ended before a moment."""
        with self._database.writing(durable=False) as connection:
            connection.execute(windows.delete().where(windows.c.problem == problem, windows.c.ended_at < moment))

    def delete_after(self, problem: str, moment: datetime) -> None:
        """Delete the windows that ended after a moment."""
        with self._database.writing(durable=False) as connection:
            connection.execute(windows.delete().where(windows.c.problem == problem, windows.c.ended_at > moment))

    def newest(self, problem: str) -> WindowRecord | None:
        """Return the window that ended last."""
        query = sa.select(windows).where(windows.c.problem == problem).order_by(windows.c.ended_at.desc()).limit(1)
        return next(iter(records(WindowRecord, self._database.read(query))), None)

    def between(
        self, problem: str, since: datetime, until: datetime, limit: int, versions: Collection[int] = ()
    ) -> list[WindowRecord]:
        """Return the newest windows that ended from `since` to before `until`, oldest first.

        With `versions`, only windows that were compared with the reference of one of them.
        """
        c = windows.c
        query = sa.select(windows).where(c.problem == problem, c.ended_at >= since, c.ended_at < until)
        if versions:
            query = query.where(c.model_version.in_(versions))
        found = self._database.read(query.order_by(c.ended_at.desc()).limit(limit))
        return records(WindowRecord, reversed(found))
