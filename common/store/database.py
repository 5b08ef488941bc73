"""The connection to the database: one writing transaction at a time, errors in one line."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from common.store.schema import Upgrade, bring_up_to_date

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

BUSY_TIMEOUT_MS = 10_000
RETRY_SECONDS = 0.01
CACHE_KB = 500  # of pages, for each connection; SQLite's default of 2 000 kB does not write faster
# Drivers raise these for values that they cannot encode, and SQLAlchemy does not wrap them.
ENCODING_ERRORS = (OverflowError, UnicodeError)


# Returns the engine for a URL.
Connect = Callable[[sa.URL], sa.Engine]


class StoreError(RuntimeError):
    """The database cannot be reached, or a statement failed."""


class BadRowError(StoreError):
    """The database works, but will never accept these rows."""


class Database:
    """An engine whose writing transactions run one at a time, in all processes together.

    SQLite allows only one writer, so that no other writer comes between a ground truth and its count in the roll-up.

    Raises:
        StoreError: from each method, if the database fails.
    """

    def __init__(
        self, url: str, patience: float | None = None, upgrade: Upgrade | None = None, connect: Connect | None = None
    ) -> None:
        """Connect, and create or upgrade the tables.

        Args:
            url: of the database.
            patience: how many seconds a transaction waits for others; `BUSY_TIMEOUT_MS` if it is None.
            upgrade: upgrades tables of an older schema; without it such a database cannot be opened.
            connect: returns the engine for a URL; without it, only SQLite can be used.
        """
        self._writer = threading.Lock()
        self._patience = patience
        try:
            self._engine = (connect or create_sqlite)(sa.make_url(url))
            self._open(upgrade)
        except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
            raise StoreError(f"the store at {_without_password(url)} cannot be opened: {_reason(error)}") from error

    def _open(self, upgrade: Upgrade | None) -> None:
        try:
            with self._engine.begin() as connection:
                bring_up_to_date(connection, upgrade)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close all connections; those of transactions that still run are closed when the transactions end."""
        sa.event.listen(self._engine, "checkin", _close)
        self._engine.dispose()

    def read(self, query: sa.Executable) -> list[sa.RowMapping]:
        """Return the rows of a query, without waiting for writers."""
        try:
            options = {"reads": True, "wait_ms": self._wait_ms}
            with self._engine.connect().execution_options(**options) as connection:
                return list(connection.execute(query).mappings())
        except (SQLAlchemyError, *ENCODING_ERRORS) as error:
            raise StoreError(f"the store cannot be read: {_reason(error)}") from error

    @property
    def _wait_ms(self) -> int:
        return BUSY_TIMEOUT_MS if self._patience is None else round(self._patience * 1e3)

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Take turns with other threads; yield the milliseconds that are left to wait for other processes."""
        # Between processes the database makes writers wait. SQLite waits by sleeping up to a tenth of a second, and
        # another writer may come first meanwhile: many threads would spend most of their time asleep.
        until = time.monotonic() + self._wait_ms / 1e3
        if not self._writer.acquire(timeout=self._wait_ms / 1e3):
            raise StoreError("the store cannot be written: other writers of this process take too long")
        try:
            # For PostgreSQL, 0 means no limit.
            yield max(round((until - time.monotonic()) * 1e3), 1)
        finally:
            self._writer.release()

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        """Open a transaction while no other writer has one, and commit it at the end of the block.

        Args:
            durable: whether the data must be on the disk when the block ends, to survive a loss of power. Otherwise
                they survive the end of the process only.
        """
        try:
            with (
                self._turn() as wait_ms,
                self._engine.connect().execution_options(durable=durable, wait_ms=wait_ms) as connection,
                connection.begin(),
            ):
                yield connection
        except (SQLAlchemyError, *ENCODING_ERRORS) as error:
            # A plain StatementError has its cause in the values; its subclass DBAPIError, in the database.
            hopeless = isinstance(error, (DataError, IntegrityError, *ENCODING_ERRORS)) or type(error) is StatementError
            kind = BadRowError if hopeless else StoreError
            raise kind(f"the store cannot be written: {_reason(error)}") from error


class StorePart:
    """A part of the store: the questions to some of its tables."""

    def __init__(self, database: Database) -> None:
        """Use `database`."""
        self._database = database


def records(kind: type[Record], rows: Iterable[sa.RowMapping]) -> list[Record]:
    """Return rows as dataclasses of this kind: each field has the value of the column of its name."""
    names = [each.name for each in fields(kind)]
    return [kind(**{name: row[name] for name in names}) for row in rows]


def create_sqlite(url: sa.URL) -> sa.Engine:
    """Return the engine for a file of SQLite; it makes the file's folder.

    Raises:
        ValueError: the URL is that of another kind of database.
    """
    if url.get_backend_name() != "sqlite":
        raise ValueError("common/store/postgresql.py, which connects to other databases than SQLite, is missing")
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, json_serializer=as_json)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _close(connection: Any, _: Any) -> None:
    # A connection that broke is None here.
    if connection is not None:
        connection.close()


def as_json(value: Any) -> str:
    """Return a value as the text of a JSON column."""
    # Pydantic's encoder takes a fifth of the time of Python's; each row of the log has two JSON columns.
    return to_json(value, inf_nan_mode="constants").decode()


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    # By default sqlite3 begins deferred transactions, and two that read before they write fail as locked.
    connection.isolation_level = None
    # Deleted and replaced bytes are overwritten with zeros, so that erased data do not stay in the file. A new file can
    # give single pages back to the disk; an old one stays as it is until a VACUUM.
    pragmas = f"PRAGMA cache_size=-{CACHE_KB}; PRAGMA secure_delete=ON; PRAGMA auto_vacuum=INCREMENTAL"
    # If several processes switch a new file to WAL at once, SQLite refuses all but one of them immediately, whatever
    # the timeout.
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1e3
    while True:
        try:
            connection.executescript(f"PRAGMA busy_timeout=0; {pragmas}; PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={options.get('wait_ms', BUSY_TIMEOUT_MS)}")
    # A reader needs no transaction, and must not wait for a writer.
    if options.get("reads"):
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('durable', True) else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _without_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return "DATABASE_URL"


def _reason(error: Exception) -> str:
    # Only the first line of the driver: SQLAlchemy adds the statement and its values, which are people's data.
    lines = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()
    return lines[0] if lines else type(error).__name__
