"""The log of predictions."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, TypedDict, cast

import sqlalchemy as sa

from common.store.bulk_insert import insert_missing
from common.store.database import Database
from common.store.rollups import Judged, Tally, add_counts, count_delays, count_labels, tally
from common.store.tables import ROLES, Role, exports, feedback, prediction_counts, predictions, suggestions

ROWS_AT_ONCE = 512
MOST_MATCHES = 200  # ids that begin alike and are looked for one by one
# Ids are of hexadecimal digits and dashes: none comes after this, in whatever order the database keeps them.
LAST = "z" * 36
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
class Remembered:
    """A logged prediction, and what has become of it since. `truth` and `trained_version` are None until known."""

    row: PredictionRow
    truth: str | None
    exported_at: datetime | None
    trained_version: int | None


class Predictions:
    """What the models have answered."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def write(self, rows: Sequence[PredictionRow]) -> None:
        """Keep rows and count them, all or none; those that are there already stay as they are.

        They survive the end of the process, but not each a loss of power: the database may do that later.
        """
        with self._database.writing(durable=False) as connection:
            insert_predictions(connection, rows)

    def get(self, prediction_id: str) -> list[Remembered]:
        """Return what the champion, and the shadow if there was one, have answered; nothing for an unknown id."""
        query = _everything().where(predictions.c.id == prediction_id).order_by(predictions.c.role)
        return [_remembered(found) for found in self._database.read(query)]

    def latest(self, search: "Search", limit: int) -> list[Remembered]:
        """Return the newest predictions that are looked for, in all roles, newest first."""
        c = predictions.c
        if search.begins and len(ids := self._beginning(search.begins)) <= MOST_MATCHES:
            # By these alone: by their time, the database would look through all of the log.
            alike = self._database.read(_everything().where(c.id.in_(ids), c.role.in_(ROLES)).order_by(c.id, c.role))
            kept = [each for each in map(_remembered, alike) if search.means(each)]
            return sorted(kept, key=lambda each: each.row["predicted_at"], reverse=True)[:limit]
        query = _everything().where(*search.clauses())
        found = self._database.read(query.order_by(c.predicted_at.desc(), c.id, c.role).limit(limit))
        return [_remembered(row) for row in found]

    def _beginning(self, begins: str) -> list[str]:
        """Return ids that begin so, one more than are looked for one by one."""
        c = predictions.c
        query = sa.select(c.id).where(*_begin_with(begins)).distinct()
        return [row["id"] for row in self._database.read(query.limit(MOST_MATCHES + 1))]


@dataclass(frozen=True)
class Search:
    """Predictions of one problem from `since` to before `until`; with versions, only theirs.

    `begins` is how their ids begin.
    """

    problem: str
    since: datetime
    until: datetime
    versions: Sequence[int] = ()
    begins: str = ""

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """Return it as conditions."""
        c = predictions.c
        found = [c.problem == self.problem, c.predicted_at >= self.since, c.predicted_at < self.until]
        if self.versions:
            found.append(c.model_version.in_(self.versions))
        if self.begins:
            found += _begin_with(self.begins)
        return found

    def means(self, found: Remembered) -> bool:
        """Return whether a prediction is looked for."""
        row = found.row
        is_there = row["problem"] == self.problem and self.since <= row["predicted_at"] < self.until
        is_there = is_there and row["id"].startswith(self.begins)
        return is_there and (not self.versions or row["model_version"] in self.versions)


def insert_predictions(connection: sa.Connection, rows: Sequence[PredictionRow]) -> None:
    """Insert rows that are not there yet, and count them; with the labels, where the truth was told before."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        _insert(connection, rows[start : start + ROWS_AT_ONCE])


def _insert(connection: sa.Connection, rows: Sequence[PredictionRow]) -> None:
    attempt = connection.begin_nested()
    if insert_missing(connection, rows):
        attempt.commit()
        _count(connection, rows)
        return
    # Some had been written before, and which of them cannot be told any more: once again, without those.
    attempt.rollback()
    there = known_predictions(connection, {row["id"] for row in rows})
    keys = {(row["id"], row["role"]) for row in there}
    if new := [row for row in rows if (row["id"], row["role"]) not in keys]:
        insert_missing(connection, new)
        _count(connection, new)


def _count(connection: sa.Connection, new: Sequence[PredictionRow]) -> None:
    """Count rows that have just been inserted."""
    add_counts(connection, prediction_counts, ("predictions", "outliers"), _volume(new))
    told = _told(connection, {row["id"] for row in new})
    if not told:
        return
    keys = {(row["id"], row["role"]) for row in new}
    judged = known_predictions(connection, set(told))
    before = [row for row in judged if (row["id"], row["role"]) not in keys]
    truths = {prediction_id: class_name for prediction_id, (class_name, _) in told.items()}
    count_labels(connection, _labels(before, judged, truths))
    count_delays(connection, new, {prediction_id: moment for prediction_id, (_, moment) in told.items()})


def _told(connection: sa.Connection, ids: set[str]) -> dict[str, tuple[str, datetime]]:
    """Return the truths that are known of these predictions, and when they were told, by id."""
    c = feedback.c
    # Ids begin with their time, so that there are few others between those of one batch.
    between = sa.select(c.prediction_id, c.class_name, c.received_at).where(c.prediction_id.between(min(ids), max(ids)))
    return {row[0]: (row[1], row[2]) for row in connection.execute(between) if row[0] in ids}


def _labels(before: Sequence[Judged], after: Sequence[Judged], truths: Mapping[str, str]) -> Tally:
    change, was, now = Tally(), _by_id(before), _by_id(after)
    for prediction_id, truth in truths.items():
        change += tally(now[prediction_id], truth) - tally(was[prediction_id], truth)
    return change


def _by_id(rows: Sequence[Judged]) -> defaultdict[str, list[Judged]]:
    found = defaultdict(list)
    for row in rows:
        found[row["id"]].append(row)
    return found


def known_predictions(connection: sa.Connection, ids: set[str]) -> Sequence[Judged]:
    """Return what is needed to judge the predictions of these ids."""
    c = predictions.c
    columns = (c.id, c.role, c.problem, c.model_name, c.model_version, c.predicted_at, c.class_name)
    # Every row has one of the roles. Saying so makes it a search by the whole key, which PostgreSQL does by the index
    # even before it has statistics of the table.
    query = sa.select(*columns).where(c.id.in_(ids), c.role.in_(ROLES))
    return [dict(row) for row in connection.execute(query).mappings()]


def _volume(rows: Sequence[PredictionRow]) -> dict[tuple[Any, ...], Sequence[int]]:
    counts: Counter[tuple[Any, ...]] = Counter()
    outliers: Counter[tuple[Any, ...]] = Counter()
    for (moment, is_outlier, class_name, *model), count in Counter(map(_COUNTED, rows)).items():
        key = (*model, moment.date(), class_name)
        counts[key] += count
        outliers[key] += count if is_outlier else 0
    return {key: (count, outliers[key]) for key, count in counts.items()}


def _begin_with(begins: str) -> list[sa.ColumnElement[bool]]:
    # The first two are for the index, the last one for what else some order puts between them.
    c = predictions.c.id
    return [c >= begins, c <= begins + LAST, c.startswith(begins, autoescape=True)]


def _everything() -> sa.Select[Any]:
    c = predictions.c
    learnt = sa.select(sa.func.min(suggestions.c.trained_version)).where(suggestions.c.prediction_id == c.id)
    return (
        sa.select(
            predictions,
            feedback.c.class_name.label("truth"),
            exports.c.finished_at.label("exported_at"),
            learnt.scalar_subquery().label("trained_version"),
        )
        .outerjoin(feedback, feedback.c.prediction_id == c.id)
        .outerjoin(exports, exports.c.id == c.export_id)
    )


def _remembered(found: sa.RowMapping) -> Remembered:
    return Remembered(row_of(found), found["truth"], found["exported_at"], found["trained_version"])


def row_of(found: sa.RowMapping) -> PredictionRow:
    """Return what was read as a row of the log."""
    return cast("PredictionRow", {name: found[name] for name in PredictionRow.__annotations__})
