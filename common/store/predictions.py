"""The prediction log: one row for each answer of a version."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, TypedDict, cast

import sqlalchemy as sa

from common.store.database import Database, StorePart
from common.store.rollups import (
    COUNT_ROWS,
    KnownTruth,
    LabelCounts,
    LoggedRow,
    add_counts,
    add_delays,
    add_label_counts,
    label_counts,
)
from common.store.tables import ROLES, Role, feedback, prediction_counts, predictions, suggestions

ROWS_AT_ONCE = 512
_COUNTED = itemgetter("predicted_at", "is_outlier", "class_name", "problem", "model_name", "model_version", "role")


class PredictionRow(TypedDict):
    """One row of the log. `features` are by name; `probabilities` by class, None for a model that gives none.

    `predicted_at` is in UTC; `confidence` is the probability of the class; `outlier_score` has the sign of
    scikit-learn's `decision_function`.
    """

    id: str
    role: Role
    problem: str
    model_name: str
    model_version: int
    predicted_at: datetime
    features: Mapping[str, float | str]
    class_name: str
    probabilities: Mapping[str, float] | None
    confidence: float | None
    is_outlier: bool | None
    outlier_score: float | None


@dataclass(frozen=True)
class LoggedPrediction:
    """A row of the log with its ground truth, its export and the version that learnt from it; None until known."""

    row: PredictionRow
    truth: str | None
    exported_at: datetime | None
    trained_version: int | None


class LoggedPredictions(StorePart):
    """The rows of the log."""

    def __init__(self, database: Database) -> None:
        """Use `database`.

        Rooms of the store replace two attributes: `exported_at`, a query of the time at which a row reached the
        external log, and `insert_new`, by a faster function.
        """
        super().__init__(database)
        self.exported_at: sa.ColumnElement[Any] = sa.null()
        self.insert_new = insert_new

    def write(self, rows: Sequence[PredictionRow], *, durable: bool = False) -> int:
        """Insert and count rows, all or none; rows that are there already stay as they are. Return how many are there.

        The rows survive the end of the process. If they are not `durable`, a loss of power may take the last of them,
        and so may a kill of PostgreSQL.
        """
        with self._database.writing(durable=durable) as connection:
            self.insert(connection, rows)
        return len(rows)

    def insert(self, connection: sa.Connection, rows: Sequence[PredictionRow]) -> None:
        """Insert and count the rows that are not there yet; also their labels, if the ground truth came first."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            if new := self.insert_new(connection, rows[start : start + ROWS_AT_ONCE]):
                count_new(connection, new)

    def get(self, prediction_id: str) -> list[LoggedPrediction]:
        """Return the answers of the champion and, if there was one, of the challenger; none for an unknown id."""
        return self.read(self.query().where(predictions.c.id == prediction_id).order_by(predictions.c.role))

    def query(self) -> sa.Select[Any]:
        """Return the query of all logged predictions, for a caller who adds conditions and passes it to `read`."""
        c = predictions.c
        learnt = sa.select(sa.func.min(suggestions.c.trained_version)).where(suggestions.c.prediction_id == c.id)
        return sa.select(
            predictions,
            feedback.c.class_name.label("truth"),
            self.exported_at.label("exported_at"),
            learnt.scalar_subquery().label("trained_version"),
        ).outerjoin(feedback, feedback.c.prediction_id == c.id)

    def read(self, query: sa.Select[Any]) -> list[LoggedPrediction]:
        """Return the predictions of a query that `query` made."""
        return [
            LoggedPrediction(prediction_row(found), found["truth"], found["exported_at"], found["trained_version"])
            for found in self._database.read(query)
        ]


def prediction_row(found: sa.RowMapping) -> PredictionRow:
    """Return a row of a query as a row of the log."""
    return cast("PredictionRow", {name: found[name] for name in PredictionRow.__annotations__})


def rows_not_there(connection: sa.Connection, rows: Sequence[PredictionRow]) -> list[PredictionRow]:
    """Return those of the rows that the log does not have yet."""
    there = {(row["id"], row["role"]) for row in logged_rows(connection, {row["id"] for row in rows})}
    return [row for row in rows if (row["id"], row["role"]) not in there]


def insert_new(connection: sa.Connection, rows: Sequence[PredictionRow]) -> Sequence[PredictionRow]:
    """Insert the rows that are not there yet, and return them."""
    if new := rows_not_there(connection, rows):
        connection.execute(predictions.insert(), new)
    return new


def count_new(connection: sa.Connection, new: Sequence[PredictionRow]) -> None:
    """Count rows that were just inserted."""
    add_counts(connection, prediction_counts, _volumes(new))
    for count in COUNT_ROWS:
        count(connection, new)
    if not (truths := _ground_truths(connection, {row["id"] for row in new})):
        return
    inserted = {(row["id"], row["role"]) for row in new}
    by_id: defaultdict[str, list[LoggedRow]] = defaultdict(list)
    for row in logged_rows(connection, set(truths)):
        by_id[row["id"]].append(row)
    change: LabelCounts = Counter()
    for prediction_id, (truth, _) in truths.items():
        rows = by_id[prediction_id]
        change.update(label_counts(rows, truth))
        change.subtract(label_counts([row for row in rows if (row["id"], row["role"]) not in inserted], truth))
    add_label_counts(connection, change)
    add_delays(connection, new, {prediction_id: received for prediction_id, (_, received) in truths.items()})


def _ground_truths(connection: sa.Connection, ids: set[str]) -> dict[str, tuple[KnownTruth, datetime]]:
    """Return the known ground truths of these predictions, and when they were received, by id."""
    c = feedback.c
    # Ids begin with their time, so that few other ids lie between those of one batch.
    columns = c.prediction_id, c.class_name, c.trusted, c.received_at
    between = sa.select(*columns).where(c.prediction_id.between(min(ids), max(ids)))
    return {row[0]: (KnownTruth(row[1], row[2]), row[3]) for row in connection.execute(between) if row[0] in ids}


def logged_rows(connection: sa.Connection, ids: set[str]) -> Sequence[LoggedRow]:
    """Return the columns that the labels depend on, of all rows with these ids."""
    c = predictions.c
    columns = (c.id, c.role, c.problem, c.model_name, c.model_version, c.predicted_at, c.class_name)
    # Every row has one of the roles. With the role, the condition is on the whole primary key, and PostgreSQL uses its
    # index even before it has statistics of the table.
    query = sa.select(*columns).where(c.id.in_(ids), c.role.in_(ROLES))
    return [dict(row) for row in connection.execute(query).mappings()]


def _volumes(rows: Sequence[PredictionRow]) -> list[tuple[Any, ...]]:
    """Return the numbers of rows and of outliers, as rows of `prediction_counts`."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for (predicted_at, is_outlier, class_name, *model), count in Counter(map(_COUNTED, rows)).items():
        counts[*model, predicted_at.date(), class_name, bool(is_outlier)] += count
    return [(*key, count, count if is_outlier else 0) for (*key, is_outlier), count in counts.items()]
