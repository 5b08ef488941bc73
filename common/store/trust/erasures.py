"""Erasing a person's data: a prediction, its ground truth, and the features of the corrections that name it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import sqlalchemy as sa

from common.store.database import StorePart
from common.store.monitoring.tables import exports
from common.store.predictions import PredictionRow
from common.store.suggestions import LEARNABLE
from common.store.tables import ROLES, feedback, predictions, suggestions
from common.store.trust.history import note_events
from common.store.trust.tables import correction_events, erasures, version_corrections, vettings, withdrawals

MOST_LISTED = 100  # ids of one kind in the record of an erasure
AT_ONCE = 500  # corrections in one statement
REASON = "the prediction that it corrects was erased"
ERASED = "erased"  # stands where a client's address was


class InsertNew(Protocol):
    """Inserts the rows of the log that are not there yet, and returns them."""

    def __call__(self, connection: sa.Connection, rows: Sequence[PredictionRow]) -> Sequence[PredictionRow]:
        """Insert rows in a transaction."""
        ...


@dataclass(frozen=True)
class ErasedData:
    """The parts of an erasure: what is gone, and what has to go elsewhere. It holds no data of a person.

    Attributes:
        roles: the answers that were erased, by role.
        ground_truth: whether a ground truth was erased.
        corrections: ids of the corrections that name the prediction; all of them are withdrawn.
        correction_count: the number of all of them: `corrections` has at most `MOST_LISTED`.
        features_erased: how many of them have lost their features already; the others do so when their withdrawal ends.
        versions: the versions that have learnt any of them, the newest ones at most.
        exports: ids of the exports that have a row of the prediction.
        runs: ids of the MLflow runs that hold these exports.
        flow_runs: ids of the runs in Prefect that may have a correction's features among their parameters.
    """

    roles: list[str]
    ground_truth: bool
    corrections: list[str]
    correction_count: int
    features_erased: int
    versions: list[int]
    exports: list[int]
    runs: list[str]
    flow_runs: list[str]


@dataclass(frozen=True)
class Erasure:
    """An erasure, as it is remembered.

    `log_is_empty` says whether SQLite's write-ahead log has none of the old bytes any more; None where there is no such
    log, or if this erasure was only looked up.
    """

    prediction_id: str
    problem: str
    erased_at: datetime
    actor: str
    details: dict[str, Any]
    log_is_empty: bool | None = None

    @property
    def data(self) -> ErasedData:
        """The parts of the erasure."""
        return ErasedData(**self.details)


class Erasures(StorePart):
    """The erasures of all problems."""

    def of(self, prediction_id: str) -> Erasure | None:
        """Return the erasure of a prediction; None if it was not erased."""
        return next(iter(_remembered(self._database.read(_query(prediction_id)))), None)

    def count(self, problem: str) -> int:
        """Return the number of a problem's erased predictions."""
        query = sa.select(sa.func.count().label("number")).where(erasures.c.problem == problem)
        return int(self._database.read(query)[0]["number"])

    def erase(self, prediction_id: str, actor: str) -> Erasure | None:
        """Erase a prediction, durably, all of it or nothing; None if the log does not have it.

        The corrections that name it are withdrawn. Their features go at once if no file has their row, and else when
        the withdrawal ends. A second call changes nothing, and returns the first erasure.
        """
        with self._database.writing() as connection:
            found = next(iter(_remembered(connection.execute(_query(prediction_id)).mappings())), None)
            found = found or _erase(connection, prediction_id, actor)
            writes_ahead = connection.dialect.name == "sqlite"
        # Old pages are in SQLite's write-ahead log until a checkpoint, and until the next writer overwrites the log.
        return replace(found, log_is_empty=self._empty_log()) if found and writes_ahead else found

    def _empty_log(self) -> bool:
        [row] = self._database.read(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return not row["busy"]

    def without_erased(self, insert: InsertNew) -> InsertNew:
        """Return a function that inserts rows of the log as `insert` does, but none of an erased prediction.

        A challenger's answer may come to the log after its prediction was erased.
        """

        def insert_others(connection: sa.Connection, rows: Sequence[PredictionRow]) -> Sequence[PredictionRow]:
            ids = {row["id"] for row in rows}
            c = erasures.c.prediction_id
            # Ids begin with their time, so that few other ids lie between those of one batch.
            erased = set(connection.execute(sa.select(c).where(c.between(min(ids), max(ids)))).scalars())
            left = [row for row in rows if row["id"] not in erased] if erased else rows
            return insert(connection, left) if left else []

        return insert_others


def _query(prediction_id: str) -> sa.Select[Any]:
    return sa.select(erasures).where(erasures.c.prediction_id == prediction_id)


def _remembered(rows: Iterable[sa.RowMapping]) -> list[Erasure]:
    return [Erasure(**row) for row in rows]


def _erase(connection: sa.Connection, prediction_id: str, actor: str) -> Erasure | None:
    c = predictions.c
    columns = c.role, c.problem, c.model_name, c.predicted_at, c.export_id
    this_row = c.id == prediction_id, c.role.in_(ROLES)
    rows = connection.execute(sa.select(*columns).where(*this_row).order_by(c.role)).all()
    if not rows:
        return None
    now = datetime.now(UTC)
    connection.execute(predictions.delete().where(*this_row))
    truths = connection.execute(feedback.delete().where(feedback.c.prediction_id == prediction_id)).rowcount
    exported = sorted({row.export_id for row in rows if row.export_id is not None})
    _close_book(connection, [row for row in rows if row.export_id is None], now)
    data = ErasedData(
        roles=[row.role for row in rows],
        ground_truth=bool(truths),
        exports=exported,
        runs=_listed(connection, sa.select(exports.c.run_id).where(exports.c.id.in_(exported))),
        **_withdraw(connection, prediction_id, actor, now),
    )
    values = {"prediction_id": prediction_id, "problem": rows[0].problem, "erased_at": now, "actor": actor}
    connection.execute(erasures.insert().values(**values, details=asdict(data)))
    return Erasure(**values, details=asdict(data))


def _close_book(connection: sa.Connection, unexported: Sequence[Any], now: datetime) -> None:
    """Count rows that no export will ever take as exported, to no run: otherwise they would seem to wait for ever."""
    days = Counter((row.problem, row.model_name, row.predicted_at.date()) for row in unexported)
    for (problem, model_name, day), count in days.items():
        values = {"problem": problem, "model_name": model_name, "day": day, "rows": count}
        connection.execute(exports.insert().values(**values, claimed_at=now, finished_at=now))


def _withdraw(connection: sa.Connection, prediction_id: str, actor: str, now: datetime) -> dict[str, Any]:
    """Withdraw the corrections of a prediction; return the parts of the record that are about them."""
    c, known = suggestions.c, version_corrections.c
    named = sa.select(c.id).where(c.prediction_id == prediction_id)
    withdrawn = sa.select(withdrawals.c.suggestion_id).where(withdrawals.c.suggestion_id == c.id)
    still_open = withdrawn.where(withdrawals.c.closed_at.is_(None))
    # A flow run may have a learnable correction in its memory, and write it to the file in a moment.
    out_of_reach = sa.and_(c.row_number.is_(None), ~LEARNABLE, ~still_open.exists())
    columns = (c.id, c.problem, out_of_reach.label("gone"), withdrawn.exists().label("withdrawn"))
    found = connection.execute(sa.select(*columns).where(c.prediction_id == prediction_id).order_by(c.id)).all()
    versions = sa.select(known.version).where(known.suggestion_id.in_(named)).distinct()
    flow_runs = sa.select(c.flow_run_id).where(c.prediction_id == prediction_id).distinct()
    again = withdrawals.update().where(withdrawals.c.suggestion_id.in_(named), ~withdrawals.c.erase)
    connection.execute(again.values(erase=True, closed_at=None))
    request = {"request_id": str(uuid4()), "requested_at": now, "actor": actor, "erase": True}
    new = [{"suggestion_id": row.id, "problem": row.problem, **request} for row in found if not row.withdrawn]
    for start in range(0, len(new), AT_ONCE):
        part = new[start : start + AT_ONCE]
        connection.execute(withdrawals.insert(), part)
        note_events(connection, [each["suggestion_id"] for each in part], "withdrawn", actor, REASON)
    unsaid = suggestions.update().where(c.prediction_id == prediction_id, c.withdrawn_because.is_(None))
    gone = [row.id for row in found if row.gone]
    connection.execute(unsaid.values(withdrawn_because=REASON))
    erase_features(connection, gone)
    return {
        "corrections": [row.id for row in found[:MOST_LISTED]],
        "correction_count": len(found),
        "features_erased": len(gone),
        "versions": _listed(connection, versions.order_by(known.version.desc())),
        "flow_runs": _listed(connection, flow_runs),
    }


def erase_features(connection: sa.Connection, suggestion_ids: Sequence[str]) -> None:
    """Erase what corrections say of a person; that they came, and what became of them, stays."""
    s, e = suggestions.c, correction_events.c
    for start in range(0, len(suggestion_ids), AT_ONCE):
        ids = suggestion_ids[start : start + AT_ONCE]
        connection.execute(suggestions.update().where(s.id.in_(ids)).values(features={}, class_name="", source=None))
        connection.execute(vettings.update().where(vettings.c.suggestion_id.in_(ids)).values(details={}))
        received = e.suggestion_id.in_(ids), e.state == "received"
        connection.execute(correction_events.update().where(*received).values(actor=ERASED))


def _listed(connection: sa.Connection, query: sa.Select[Any]) -> list[Any]:
    return [each for each in connection.execute(query.limit(MOST_LISTED)).scalars() if each is not None]
