"""The connection to the database: transactions that take turns, errors in one line, tables up to date."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from common.store.tables import SCHEMA, metadata

BUSY_TIMEOUT_MS = 10_000
RETRY_SECONDS = 0.01
CONNECT_TIMEOUT_SECONDS = 5
# Any number will do, as long as every process of the lab takes the same.
WRITER_LOCK = 0x6C6162
# As alembic makes it.
VERSION = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
# What drivers raise for values that they cannot put into words, and SQLAlchemy lets pass.
UNSPEAKABLE = (OverflowError, UnicodeError)


class StoreError(RuntimeError):
    """The database cannot be reached or does not do what it is asked."""


class BadRowError(StoreError):
    """The database answers, and will never take these rows."""


class Database:
    """An engine whose writing transactions run one at a time, in whatever process they are.

    That is SQLite's nature. PostgreSQL is made to do the same by an advisory lock, so that what is counted together
    (a truth and its roll-up) cannot pass each other there either.

    Raises:
        StoreError: from each method, when the database does not answer as it should.
    """

    def __init__(self, url: str, patience: float | None = None) -> None:
        """Connect, and make or change tables as this version of the lab needs them.

        Args:
            url: where.
            patience: how many seconds a transaction waits for others; `BUSY_TIMEOUT_MS` if it is None.
        """
        self._writer = threading.Lock()
        self._patience = patience
        try:
            self._engine = _create_engine(url)
            self._open()
        except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
            raise StoreError(f"the store at {_shown(url)} cannot be opened: {_reason(error)}") from error

    def _open(self) -> None:
        try:
            with self._engine.begin() as connection:
                _bring_up_to_date(connection)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def read(self, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[sa.RowMapping]:
        """Return the rows of a query, without waiting for writers."""
        try:
            options = {"reads": True, "wait_ms": self._wait_ms}
            with self._engine.connect().execution_options(**options) as connection:
                return list(connection.execute(query).mappings())
        except (SQLAlchemyError, *UNSPEAKABLE) as error:
            raise StoreError(f"the store cannot be read: {_reason(error)}") from error

    @property
    def _wait_ms(self) -> int:
        return BUSY_TIMEOUT_MS if self._patience is None else round(self._patience * 1e3)

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Take turns with other threads; yield the milliseconds that are left to wait for other processes."""
        # Between processes the databases see to the turns. SQLite's waiting is a sleep of up to a tenth of a second,
        # after which another may have come first: a crowd of threads would spend most of its time so.
        until = time.monotonic() + self._wait_ms / 1e3
        if not self._writer.acquire(timeout=self._wait_ms / 1e3):
            raise StoreError("the store cannot be written: other writers of this process take too long")
        try:
            # PostgreSQL takes 0 as no limit.
            yield max(round((until - time.monotonic()) * 1e3), 1)
        finally:
            self._writer.release()

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        """Open a transaction that no other writer runs beside; it is committed at the end of the block.

        Args:
            durable: whether it must be on the disk when the block has ended, and survive a loss of power. Without,
                it is as whole, and survives the end of the process.
        """
        try:
            with (
                self._turn() as wait_ms,
                self._engine.connect().execution_options(durable=durable, wait_ms=wait_ms) as connection,
                connection.begin(),
            ):
                yield connection
        except (SQLAlchemyError, *UNSPEAKABLE) as error:
            # A DBAPIError is a StatementError, too: with a cause in the database, not in the values.
            hopeless = isinstance(error, (DataError, IntegrityError, *UNSPEAKABLE)) or type(error) is StatementError
            kind = BadRowError if hopeless else StoreError
            raise kind(f"the store cannot be written: {_reason(error)}") from error


def _create_engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed, json_serializer=_json)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = sa.create_engine(
        parsed, json_serializer=_json, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    )
    sa.event.listen(engine, "begin", _begin_postgresql)
    return engine


def _json(value: Any) -> str:
    # A fifth of the time that Python's own json takes, for each row of the log twice.
    return to_json(value, inf_nan_mode="constants").decode()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # sqlite3 would begin transactions by itself, deferred, and two that read before they write then fail as locked.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _log_ahead(connection)


def _log_ahead(connection: sqlite3.Connection) -> None:
    # Of some that switch a new file at once each holds what another needs: SQLite refuses all but one of them without
    # waiting, whatever the timeout.
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1e3
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={options.get('wait_ms', BUSY_TIMEOUT_MS)}")
    # A reader needs no transaction, and must not queue behind a writer.
    if options.get("reads"):
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('durable', True) else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reads"):
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {options.get('wait_ms', BUSY_TIMEOUT_MS)}")
    if not options.get("durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")


def _bring_up_to_date(connection: sa.Connection) -> None:
    found = None
    tables = sa.inspect(connection).get_table_names()
    if VERSION.name in tables:
        found = connection.execute(VERSION.select()).scalar()
    if found == SCHEMA:
        return
    if connection.dialect.name == "sqlite" and not tables:
        _create(connection)
        return
    # Importing alembic costs a service a quarter of a second and 12 MB.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))

    def revisions(now: Any, _: Any) -> Any:
        return scripts._upgrade_revs(SCHEMA, now)  # noqa: SLF001  # as alembic's own command `upgrade` does

    try:
        with EnvironmentContext(Config(), scripts, fn=revisions) as environment:
            environment.configure(connection=connection, target_metadata=metadata)
            environment.run_migrations()
    except CommandError as error:
        raise ValueError(f"its schema {found} is none that this version of the lab knows ({error})") from error


def _create(connection: sa.Connection) -> None:
    # What the migrations make of nothing, without alembic, which a service would keep in memory. Only SQLite's: of the
    # others' indexes the tables do not say all.
    metadata.create_all(connection)
    VERSION.create(connection)
    connection.execute(VERSION.insert().values(version_num=SCHEMA))


def _shown(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return "DATABASE_URL"


def _reason(error: Exception) -> str:
    # The driver's own words: SQLAlchemy adds the statement and its values, which are people's data.
    words = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()
    return words[0] if words else type(error).__name__
