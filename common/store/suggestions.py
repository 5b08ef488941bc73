"""What the lab remembers. The only file that speaks SQL; one code path for SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

State = Literal["received", "delivered", "waiting", "trained", "refused"]
TRAIN_AT = 5  # so many waiting suggestions make a new version
BUSY_TIMEOUT_MS = 10_000

metadata = sa.MetaData()
suggestions = sa.Table(
    "suggestions",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("problem", sa.String(64), nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Column("class_name", sa.String(256), nullable=False),
    sa.Column("prediction_id", sa.String(36)),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    # The outbox: delivered once there is a flow run; until then, when to try next and what went wrong.
    sa.Column("flow_run_id", sa.String(36)),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_error", sa.Text),
    # The row of finetune.csv that is kept for it, and whether it has certainly been written there.
    sa.Column("row_number", sa.Integer),
    sa.Column("written", sa.Boolean, nullable=False, default=False),
    # How it ended.
    sa.Column("trained_version", sa.Integer),
    sa.Column("refused_because", sa.Text),
    sa.Index("ix_suggestions_problem_row", "problem", "row_number"),
)


class StoreError(RuntimeError):
    """The database cannot be reached or does not do what it is asked."""


@dataclass(frozen=True)
class Suggestion:
    """A person's correction: these features are of that class. `features` are by name."""

    id: str
    problem: str
    features: dict[str, float]
    class_name: str
    prediction_id: str | None = None
    flow_run_id: str | None = None
    attempts: int = 0
    last_error: str | None = None
    row_number: int | None = None
    written: bool = False
    trained_version: int | None = None
    refused_because: str | None = None

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.refused_because is not None:
            return "refused"
        if self.trained_version is not None:
            return "trained"
        if self.written:
            return "waiting"
        return "received" if self.flow_run_id is None else "delivered"


class Store:
    """The database at a SQLAlchemy URL. Safe to use from several threads and processes.

    Raises:
        StoreError: from each method, when the database does not answer as it should.
    """

    def __init__(self, url: str) -> None:
        """Connect and make the tables that are missing."""
        try:
            self._engine = _create_engine(url)
            metadata.create_all(self._engine)
        except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
            raise StoreError(f"the store at {_shown(url)} cannot be opened: {_reason(error)}") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add(self, suggestion: Suggestion) -> None:
        """Keep a new suggestion, durably; one that is there already stays as it is."""
        now = datetime.now(UTC)
        row = {
            "id": suggestion.id,
            "problem": suggestion.problem,
            "features": suggestion.features,
            "class_name": suggestion.class_name,
            "prediction_id": suggestion.prediction_id,
            "received_at": now,
            "next_attempt_at": now,
        }
        with self._writing() as connection:
            known = sa.select(suggestions.c.id).where(suggestions.c.id == suggestion.id)
            if connection.execute(known).first() is None:
                connection.execute(suggestions.insert().values(row))

    def get(self, suggestion_id: str) -> Suggestion | None:
        """Return a suggestion; None for an unknown id."""
        found = self._read(sa.select(suggestions).where(suggestions.c.id == suggestion_id))
        return _suggestion(found[0]) if found else None

    def due(self, problem: str, now: datetime, limit: int) -> list[Suggestion]:
        """Return suggestions that have no flow run yet and whose next attempt is due, oldest first."""
        c = suggestions.c
        query = sa.select(suggestions).where(
            *(c.problem == problem, c.flow_run_id.is_(None), c.row_number.is_(None)),
            *(c.refused_because.is_(None), c.next_attempt_at <= now),
        )
        return [_suggestion(row) for row in self._read(query.order_by(c.received_at, c.id).limit(limit))]

    def delivered(self, suggestion_id: str, flow_run_id: str) -> None:
        """Note the flow run that a suggestion has started."""
        self._update(suggestion_id, flow_run_id=flow_run_id, last_error=None)

    def delivery_failed(self, suggestion_id: str, error: str, next_attempt_at: datetime) -> None:
        """Note why an attempt failed and when to try again."""
        self._update(
            suggestion_id, attempts=suggestions.c.attempts + 1, last_error=error, next_attempt_at=next_attempt_at
        )

    def handed_over(self, problem: str, limit: int) -> list[Suggestion]:
        """Return delivered suggestions that have no row in finetune.csv yet, oldest first."""
        c = suggestions.c
        query = sa.select(suggestions).where(
            c.problem == problem, c.flow_run_id.is_not(None), c.row_number.is_(None), c.refused_because.is_(None)
        )
        return [_suggestion(row) for row in self._read(query.order_by(c.received_at, c.id).limit(limit))]

    def reserve_row(self, suggestion: Suggestion) -> None:
        """Note `row_number`, the row of finetune.csv that the suggestion is about to be written to."""
        self._update(suggestion.id, row_number=suggestion.row_number)

    def row_written(self, suggestion_id: str) -> None:
        """Note that the reserved row is in the file."""
        self._update(suggestion_id, written=True)

    def unfinished_rows(self, problem: str) -> list[Suggestion]:
        """Return suggestions with a reserved row that may or may not be in the file, by row."""
        return self._rows(problem, suggestions.c.written.is_(False))

    def waiting(self, problem: str) -> list[Suggestion]:
        """Return the suggestions in finetune.csv that no fine-tuning has settled, by row."""
        c = suggestions.c
        return self._rows(problem, c.written, c.trained_version.is_(None), c.refused_because.is_(None))

    def trained(self, suggestion_ids: list[str], version: int) -> None:
        """Note the version that has learnt from these suggestions."""
        self._update(*suggestion_ids, trained_version=version)

    def refused(self, suggestion_ids: list[str], reason: str) -> None:
        """Note why these suggestions have led to no version."""
        self._update(*suggestion_ids, refused_because=reason)

    def _rows(self, problem: str, *conditions: sa.ColumnElement[bool]) -> list[Suggestion]:
        c = suggestions.c
        query = sa.select(suggestions).where(c.problem == problem, c.row_number.is_not(None), *conditions)
        return [_suggestion(row) for row in self._read(query.order_by(c.row_number))]

    def _update(self, *suggestion_ids: str, **values: Any) -> None:
        with self._writing() as connection:
            connection.execute(suggestions.update().where(suggestions.c.id.in_(suggestion_ids)).values(values))

    def _read(self, query: sa.Select[Any]) -> list[sa.RowMapping]:
        try:
            with self._engine.connect().execution_options(reads=True) as connection:
                return list(connection.execute(query).mappings())
        except SQLAlchemyError as error:
            raise StoreError(f"the store cannot be read: {_reason(error)}") from error

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"the store cannot be written: {_reason(error)}") from error


def _create_engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # sqlite3 would begin transactions by itself, deferred, and two that read before they write then fail as locked.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    # A reader needs no transaction, and must not queue behind a writer.
    if not connection.get_execution_options().get("reads"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _suggestion(row: sa.RowMapping) -> Suggestion:
    return Suggestion(**{name: row[name] for name in Suggestion.__dataclass_fields__})


def _shown(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return "DATABASE_URL"


def _reason(error: Exception) -> str:
    # The driver's own words: SQLAlchemy adds the statement and its values, which are people's data.
    words = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()
    return words[0] if words else type(error).__name__
