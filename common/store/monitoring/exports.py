"""Which predictions have gone to the external log, batch by batch."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa

from common.store.database import Database
from common.store.predictions import PredictionRow, row_of
from common.store.tables import exports, prediction_counts, predictions

# Rows that one transaction claims, and seconds to the next one: truths that are told meanwhile wait for no more.
BITE = 1_000
PAUSE = 0.05


@dataclass(frozen=True)
class Export:
    """A batch of predictions of one problem, model and day, in all roles."""

    id: int
    problem: str
    model_name: str
    day: date
    rows: int
    claimed_at: datetime


class Exports:
    """Batches: claimed first, so that whoever tries again after a crash takes the same rows, and finished later."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def claim(self, limit: int, until: datetime) -> Export | None:
        """Claim the oldest rows from before `until` that no export has, at most so many; None when there are none.

        They are of one problem, model and day. Who is killed meanwhile leaves an export with fewer rows.
        """
        c = predictions.c
        waiting = sa.select(c.problem, c.model_name, c.predicted_at).where(
            c.export_id.is_(None), c.predicted_at < until
        )
        # In the order of the index, so that the first is found at once, however many wait.
        if not (found := self._database.read(waiting.order_by(c.problem, c.predicted_at).limit(1))):
            return None
        made, size = None, min(BITE, limit)
        while True:
            with self._database.writing() as connection:
                made = made or _make(connection, found[0])
                taken = _take(connection, made, until, size)
            rows, size = made.rows + taken, min(BITE, limit - made.rows - taken)
            made = Export(made.id, made.problem, made.model_name, made.day, rows, made.claimed_at)
            if not taken or not size:
                return made
            time.sleep(PAUSE)

    def unfinished(self) -> list[Export]:
        """Return what has been claimed and not finished, oldest first."""
        query = sa.select(exports).where(exports.c.finished_at.is_(None)).order_by(exports.c.id)
        return [_export(row) for row in self._database.read(query)]

    def rows(self, export: Export) -> list[PredictionRow]:
        """Return the predictions of an export."""
        c = predictions.c
        mine = sa.select(predictions).where(c.export_id == export.id).order_by(c.predicted_at, c.id, c.role)
        return [row_of(each) for each in self._database.read(mine)]

    def finish(self, export: Export, run_id: str) -> None:
        """Note, durably, that an export is in the external log, in the run `run_id`."""
        with self._database.writing() as connection:
            values = {"finished_at": datetime.now(UTC), "run_id": run_id}
            connection.execute(exports.update().where(exports.c.id == export.id).values(values))

    def waiting(self) -> dict[str, int]:
        """Return how many rows are not in the external log yet, by problem, from sums alone."""
        finished = sa.select(exports.c.problem, (-sa.func.sum(exports.c.rows)).label("rows"))
        written = sa.select(prediction_counts.c.problem, sa.func.sum(prediction_counts.c.predictions).label("rows"))
        # In one statement: what is finished by now has been written by then.
        both = sa.union_all(
            written.group_by(prediction_counts.c.problem),
            finished.where(exports.c.finished_at.is_not(None)).group_by(exports.c.problem),
        ).subquery()
        query = sa.select(both.c.problem, sa.func.sum(both.c.rows).label("rows")).group_by(both.c.problem)
        return {row["problem"]: int(row["rows"]) for row in self._database.read(query) if row["rows"]}


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first moment of a day in UTC, and that of the next."""
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


def _export(row: sa.RowMapping) -> Export:
    return Export(**{name: row[name] for name in Export.__dataclass_fields__})
