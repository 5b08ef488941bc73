"""The deletion of old rows of the prediction log, a few in each transaction.

Each roll-up stays: it counts answers, and not the rows that are left. A prediction with a ground truth goes together
with it, under a limit of its own: the gate judges versions on such rows, and lineage shows them. A prediction that an
open correction names stays as long as the correction is open.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.store.database import Database, StorePart
from common.store.predictions import LoggedPredictions, PredictionRow, count_new
from common.store.retention.day_rows import DayRows
from common.store.retention.log_size import LogSizes
from common.store.retention.missing_rows import MissingCounts, close_books, note_missing
from common.store.tables import ROLES, UtcDateTime, feedback, predictions, suggestions

STEP_ROWS = 200  # rows of the log that one transaction deletes at most


@dataclass(frozen=True)
class Place:
    """A place in the log of a problem, in the order of time."""

    at: datetime
    id: str


BEGIN = Place(datetime.min.replace(tzinfo=UTC) + timedelta(days=1), "")


@dataclass(frozen=True)
class Swept:
    """The result of a step.

    Attributes:
        deleted: rows that are gone, in all roles.
        unexported: those of them that MLflow's external log does not have.
        end: the place after which the next step begins; None if there is nothing more before the limit.
    """

    deleted: int
    unexported: int
    end: Place | None


class Retention(StorePart):
    """Old rows of the log.

    Attributes:
        missing: the rows that the roll-ups count and that the log does not have.
        sizes: of the log.
        days: the log by days, for its export.
    """

    def __init__(self, database: Database) -> None:
        """Use `database`."""
        super().__init__(database)
        self.missing = MissingCounts(database)
        self.sizes = LogSizes(database, self.missing)
        self.days = DayRows(database, self.missing)

    def oldest(self, problem: str) -> datetime | None:
        """Return the time of a problem's oldest row; None without rows."""
        c = predictions.c
        query = sa.select(c.predicted_at).where(c.problem == problem).order_by(c.predicted_at).limit(1)
        return next((row["predicted_at"] for row in self._database.read(query)), None)

    def step(self, problem: str, after: Place, before: datetime, *, with_truth: bool = False) -> Swept:
        """Delete the oldest rows from `after` to before a moment: at most `STEP_ROWS` are looked at.

        Args:
            problem: whose rows.
            after: the place after which the step begins, `BEGIN` or the end of the step before.
            before: younger rows stay.
            with_truth: whether rows with a ground truth go, and the ground truth with them; else only rows without one.
        """
        self.missing.prepare()
        found = self._database.read(_looked_at(problem, after, before, with_truth=with_truth))
        last = found[-1] if found else None
        end = Place(last["predicted_at"], last["id"]) if last and len(found) == STEP_ROWS else None
        ids = sorted({row["id"] for row in found if not row["stays"]})
        gone = self._delete(ids, with_truth=with_truth) if ids else []
        return Swept(len(gone), sum(row.export_id is None for row in gone), end)

    def _delete(self, ids: Sequence[str], *, with_truth: bool) -> Sequence[sa.Row[Any]]:
        c = predictions.c
        these = [c.id.in_(ids), c.role.in_(ROLES), ~_in_open_correction(c.id).exists()]
        # A ground truth or a correction may have come since the rows were read.
        these += [] if with_truth else [~_truth(c.id).exists()]
        told = c.problem, c.model_name, c.predicted_at, c.export_id
        deletion = predictions.delete().where(*these).returning(*told)
        with self._database.writing(durable=False) as connection:
            gone: list[sa.Row[Any]] = list(connection.execute(deletion))
            if with_truth:
                said = feedback.c.prediction_id
                left = sa.select(c.id).where(c.id == said, c.role.in_(ROLES))
                connection.execute(feedback.delete().where(said.in_(ids), ~left.exists()))
            days: Counter[tuple[str, date]] = Counter((row.problem, row.predicted_at.date()) for row in gone)
            note_missing(connection, "deleted", days)
            books = [row for row in gone if row.export_id is None]
            close_books(connection, Counter((row.problem, row.model_name, row.predicted_at.date()) for row in books))
        return gone

    def write_some(
        self,
        log: LoggedPredictions,
        kept: Sequence[PredictionRow],
        left_out: Sequence[PredictionRow],
        *,
        durable: bool = False,
    ) -> None:
        """Write some rows to the log and count the others only, all or none; `durable` is as in `log.write`."""
        self.missing.prepare()
        with self._database.writing(durable=durable) as connection:
            log.insert(connection, kept)
            self.count_only(connection, left_out)

    def count_only(self, connection: sa.Connection, rows: Sequence[PredictionRow]) -> None:
        """Count answers in the roll-ups, in a transaction, without writing their rows; `missing` must be prepared."""
        if rows:
            count_new(connection, rows)
            note_missing(connection, "left_out", Counter((row["problem"], row["predicted_at"].date()) for row in rows))
            days = Counter((row["problem"], row["model_name"], row["predicted_at"].date()) for row in rows)
            close_books(connection, days)


def _looked_at(
    problem: str, after: Place, before: datetime, *, with_truth: bool
) -> sa.Select[tuple[str, datetime, bool]]:
    c = predictions.c
    here = sa.tuple_(c.predicted_at, c.id) > sa.tuple_(sa.literal(after.at, UtcDateTime), sa.literal(after.id))
    span = c.problem == problem, c.predicted_at >= after.at, c.predicted_at < before, here
    is_open = _in_open_correction(c.id).exists()
    stays = is_open if with_truth else sa.or_(is_open, _truth(c.id).exists())
    return sa.select(c.id, c.predicted_at, stays.label("stays")).where(*span).order_by(
        c.predicted_at, c.id
    ).limit(STEP_ROWS)  # fmt: skip


def _truth(prediction_id: sa.ColumnElement[str]) -> sa.Select[tuple[str]]:
    return sa.select(feedback.c.prediction_id).where(feedback.c.prediction_id == prediction_id)


def _in_open_correction(prediction_id: sa.ColumnElement[str]) -> sa.Select[tuple[str]]:
    c = suggestions.c
    is_open = c.trained_version.is_(None), c.refused_because.is_(None), c.withdrawn_because.is_(None)
    return sa.select(c.id).where(c.prediction_id == prediction_id, *is_open)
