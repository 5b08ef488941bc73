"""Answers that the roll-ups count and whose rows the log does not have, with the reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import sqlalchemy as sa

from common.store.database import StorePart
from common.store.monitoring.tables import exports
from common.store.rollups import add_counts
from common.store.tables import UtcDateTime, problem_column

# Retention has deleted the row; or the disk was nearly full, and the log kept one row of several.
Reason = Literal["deleted", "left_out"]
# Rows by problem, model name and day.
Unexported = Mapping[tuple[str, str, date], int]

_metadata = sa.MetaData()
missing_rows = sa.Table(
    "missing_rows",
    _metadata,
    problem_column(primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("reason", sa.String(16), primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
)

# Days whose rows a file has: all of them, or those with a ground truth.
exported_days = sa.Table(
    "exported_days",
    _metadata,
    problem_column(primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("part", sa.String(16), primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("finished_at", UtcDateTime, nullable=False),
)


@dataclass(frozen=True)
class MissingRows:
    """The number of a problem's rows that are missing for a reason, of some days."""

    problem: str
    reason: Reason
    rows: int


class MissingCounts(StorePart):
    """The missing rows of all problems, by the day of the prediction."""

    _dialect = ""  # known as soon as this process knows that the table exists

    def prepare(self) -> str:
        """Make the tables, if they are not there; return the kind of the database, such as `sqlite`."""
        if not self._dialect:
            with self._database.writing() as connection:
                _metadata.create_all(connection)
                self._dialect = connection.dialect.name
        return self._dialect

    def totals(self, since: date = date.min, until: date = date.max) -> list[MissingRows]:
        """Return the missing rows of the predictions of these days, the last one included; without zeros."""
        self.prepare()
        c = missing_rows.c
        query = sa.select(c.problem, c.reason, sa.func.sum(c.rows).label("rows")).where(c.day.between(since, until))
        found = self._database.read(query.group_by(c.problem, c.reason).order_by(c.problem, c.reason))
        return [MissingRows(each["problem"], each["reason"], int(each["rows"])) for each in found if each["rows"]]

    def days(self, problem: str, reason: Reason) -> dict[date, int]:
        """Return the missing rows of a problem by day."""
        self.prepare()
        c = missing_rows.c
        found = self._database.read(sa.select(c.day, c.rows).where(c.problem == problem, c.reason == reason))
        return {each["day"]: each["rows"] for each in found}


def note_missing(connection: sa.Connection, reason: Reason, rows: Counter[tuple[str, date]]) -> None:
    """Count rows, by problem and day, that the log does not have. The table must be there."""
    add_counts(connection, missing_rows, [(problem, day, reason, count) for (problem, day), count in rows.items()])


def close_books(connection: sa.Connection, unexported: Unexported) -> None:
    """Count rows that no export will ever take as exported, to no run: otherwise they would seem to wait for ever."""
    c, now = exports.c, datetime.now(UTC)
    for (problem, model_name, day), count in unexported.items():
        to_no_run = c.problem == problem, c.model_name == model_name, c.day == day, c.run_id.is_(None)
        book = sa.select(c.id).where(*to_no_run, c.finished_at.is_not(None)).order_by(c.id).limit(1)
        if (known := connection.execute(book).scalar()) is not None:
            connection.execute(exports.update().where(c.id == known).values(rows=c.rows + count))
        else:
            values = {"problem": problem, "model_name": model_name, "day": day, "rows": count}
            connection.execute(exports.insert().values(**values, claimed_at=now, finished_at=now))
