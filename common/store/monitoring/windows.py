"""What the monitor found in each window of time."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import Database
from common.store.tables import windows


@dataclass(frozen=True)
class WindowRecord:
    """The evaluation of the champion's answers from `began_at` to before `ended_at`.

    `model_version` is the one that they were held against; `outliers` counts rows; `evaluation` is the monitor's own.
    """

    problem: str
    model_name: str
    model_version: int | None
    began_at: datetime
    ended_at: datetime
    rows: int
    outliers: int
    evaluation: Mapping[str, Any]


class Windows:
    """The windows of every problem, each kept once."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def write(self, window: WindowRecord) -> None:
        """Keep a window; what has been kept of it before gives way."""
        c = windows.c
        with self._database.writing(durable=False) as connection:
            connection.execute(windows.delete().where(c.problem == window.problem, c.ended_at == window.ended_at))
            connection.execute(windows.insert().values(asdict(window)))

    def forget(self, problem: str, before: datetime) -> None:
        """Let go of the windows that ended before a moment."""
        with self._database.writing(durable=False) as connection:
            connection.execute(windows.delete().where(windows.c.problem == problem, windows.c.ended_at < before))

    def forget_after(self, problem: str, moment: datetime) -> None:
        """Let go of the windows that ended after a moment."""
        with self._database.writing(durable=False) as connection:
            connection.execute(windows.delete().where(windows.c.problem == problem, windows.c.ended_at > moment))

    def newest(self, problem: str) -> WindowRecord | None:
        """Return the window that ended last."""
        query = sa.select(windows).where(windows.c.problem == problem).order_by(windows.c.ended_at.desc()).limit(1)
        return next(map(_record, self._database.read(query)), None)

    def between(
        self, problem: str, since: datetime, until: datetime, limit: int, versions: Collection[int] = ()
    ) -> list[WindowRecord]:
        """Return the newest windows that ended from `since` to before `until`, oldest first.

        With `versions`, only those that were held against one of them.
        """
        c = windows.c
        query = sa.select(windows).where(c.problem == problem, c.ended_at >= since, c.ended_at < until)
        if versions:
            query = query.where(c.model_version.in_(versions))
        return [_record(row) for row in reversed(self._database.read(query.order_by(c.ended_at.desc()).limit(limit)))]


def _record(row: sa.RowMapping) -> WindowRecord:
    return WindowRecord(**row)
