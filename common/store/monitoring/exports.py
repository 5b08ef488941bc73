"""Exports: batches of predictions for the external log."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.monitoring.tables import exports
from common.store.predictions import PredictionRow, prediction_row
from common.store.tables import prediction_counts, predictions

# A claim takes this many rows a transaction and pauses between two, so that feedback never waits for long.
ROWS_AT_ONCE = 1_000
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Export:
    """A batch of predictions of one problem, model and day, in all roles."""

    id: int
    problem: str
    model_name: str
    day: date
    rows: int
    claimed_at: datetime


class Exports(StorePart):
    """Batches that are claimed first and finished later, so that a new try after a crash takes the same rows."""

    def claim(self, limit: int, until: datetime) -> Export | None:
        """Claim the oldest rows from before `until` that are in no export, at most `limit`; None if there are none.

        The rows are of one problem, model and day. A process that is killed here leaves an export with fewer rows.
        """
        c = predictions.c
        waiting = sa.select(c.problem, c.model_name, c.predicted_at).where(
            c.export_id.is_(None), c.predicted_at < until
        )
        # In the order of the index, so that the database finds the first row at once, however many wait.
        if not (found := self._database.read(waiting.order_by(c.problem, c.predicted_at).limit(1))):
            return None
        made, size = None, min(ROWS_AT_ONCE, limit)
        while True:
            with self._database.writing() as connection:
                made = made or _make(connection, found[0])
                taken = _take(connection, made, until, size)
            rows, size = made.rows + taken, min(ROWS_AT_ONCE, limit - made.rows - taken)
            made = Export(made.id, made.problem, made.model_name, made.day, rows, made.claimed_at)
            if not taken or not size:
                return made
            time.sleep(PAUSE_SECONDS)

    def unfinished(self) -> list[Export]:
        """Return the exports that were claimed and not finished, oldest first."""
        query = sa.select(exports).where(exports.c.finished_at.is_(None)).order_by(exports.c.id)
        return records(Export, self._database.read(query))

    def rows(self, export: Export) -> list[PredictionRow]:
        """Return the predictions of an export."""
        c = predictions.c
        mine = sa.select(predictions).where(c.export_id == export.id).order_by(c.predicted_at, c.id, c.role)
        return [prediction_row(each) for each in self._database.read(mine)]

    def finish(self, export: Export, run_id: str) -> None:
        """Write, durably, that an export is in the external log, in the run `run_id`."""
        with self._database.writing() as connection:
            values = {"finished_at": datetime.now(UTC), "run_id": run_id}
            connection.execute(exports.update().where(exports.c.id == export.id).values(values))

    def waiting(self) -> dict[str, int]:
        """Return how many rows are not in the external log yet, by problem, without a scan of the log."""
        finished = sa.select(exports.c.problem, (-sa.func.sum(exports.c.rows)).label("rows"))
        written = sa.select(prediction_counts.c.problem, sa.func.sum(prediction_counts.c.predictions).label("rows"))
        # In one statement, so that both sums are of one moment.
        both = sa.union_all(
            written.group_by(prediction_counts.c.problem),
            finished.where(exports.c.finished_at.is_not(None)).group_by(exports.c.problem),
        ).subquery()
        query = sa.select(both.c.problem, sa.func.sum(both.c.rows).label("rows")).group_by(both.c.problem)
        return {row["problem"]: int(row["rows"]) for row in self._database.read(query) if row["rows"]}


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first moment of a day in UTC, and the first moment of the next day."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return begin, datetime.fromordinal(day.toordinal() + 1).replace(tzinfo=UTC)


def _make(connection: sa.Connection, first: sa.RowMapping) -> Export:
    values = {
        "problem": first["problem"],
        "model_name": first["model_name"],
        "day": first["predicted_at"].date(),
        "rows": 0,
        "claimed_at": datetime.now(UTC),
    }
    made = connection.execute(exports.insert().values(values)).inserted_primary_key
    return Export(int(made[0]) if made else 0, **values)


def _take(connection: sa.Connection, export: Export, until: datetime, limit: int) -> int:
    c = predictions.c
    begin, end = day_bounds(export.day)
    waiting = sa.select(c.id, c.role).where(
        *(c.export_id.is_(None), c.problem == export.problem, c.model_name == export.model_name),
        *(c.predicted_at >= begin, c.predicted_at < min(end, until)),
    )
    keys = connection.execute(waiting.order_by(c.predicted_at).limit(limit)).all()
    if keys:
        here = (c.id == sa.bindparam("row_id")) & (c.role == sa.bindparam("row_role"))
        rows = [{"row_id": key.id, "row_role": key.role} for key in keys]
        connection.execute(predictions.update().where(here).values(export_id=export.id), rows)
        more = exports.c.rows + len(keys)
        connection.execute(exports.update().where(exports.c.id == export.id).values(rows=more))
    return len(keys)
