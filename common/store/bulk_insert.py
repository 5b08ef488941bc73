"""The log's INSERT: many rows in one statement.

SQLAlchemy's own insert of many rows takes three times as long: it looks up each value of each row by name and passes
one row at a time to the driver. The driver also releases and takes Python's lock for each row, which delays the
requests of a service. Here SQLAlchemy compiles the statement and converts the values, and the driver gets all rows in
one call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa

from common.store.predictions import PredictionRow, rows_not_there
from common.store.tables import predictions

# Rows in one statement, of twelve values each. Few sizes: SQLite keeps each prepared statement, and a statement for
# every number of rows would take 27 MB. No larger size: Python's lock is held while the values are put together.
SIZES = (64, 16, 4, 1)

Convert = Callable[[Any], Any]  # from a value to the driver's form of it


@dataclass(frozen=True)
class _Insert:
    beginning: str
    row: str
    columns: Sequence[tuple[str, Convert | None]]


def insert_new(connection: sa.Connection, rows: Sequence[PredictionRow]) -> Sequence[PredictionRow]:
    """Insert the rows that are not there yet, and return them, as the function of this name in `predictions.py`."""
    attempt = connection.begin_nested()
    if _insert_missing(connection, rows):
        attempt.commit()
        return rows
    # Some rows were there already, and the statement does not say which: insert again without them.
    attempt.rollback()
    if new := rows_not_there(connection, rows):
        _insert_missing(connection, new)
    return new


def _insert_missing(connection: sa.Connection, rows: Sequence[PredictionRow]) -> bool:
    """Insert rows of the log; return whether none was there before. Rows that are there stay as they are."""
    insert = _insert(connection.dialect, tuple(rows[0]))
    start = inserted = 0
    while start < len(rows):
        size = next(size for size in SIZES if size <= len(rows) - start)
        columns = (_column(rows[start : start + size], *column) for column in insert.columns)
        values = tuple(chain.from_iterable(zip(*columns, strict=True)))
        statement = f"{insert.beginning}{', '.join([insert.row] * size)} ON CONFLICT DO NOTHING"
        inserted += connection.exec_driver_sql(statement, values).rowcount
        start += size
    return inserted == len(rows)


def _column(rows: Sequence[PredictionRow], name: str, convert: Convert | None) -> Sequence[Any]:
    values = list(map(itemgetter(name), rows))
    if convert is None:
        return values
    if name == "predicted_at":  # many rows have the same time
        converted = {moment: convert(moment) for moment in set(values)}
        return [converted[moment] for moment in values]
    return list(map(convert, values))


@lru_cache(maxsize=4)
def _insert(dialect: sa.Dialect, names: Sequence[str]) -> _Insert:
    # With parameters by position, which every driver accepts; psycopg's default are names.
    style, make = "qmark" if dialect.paramstyle == "qmark" else "format", cast("Any", type(dialect))
    compiled: Any = predictions.insert().compile(dialect=make(paramstyle=style), column_keys=list(names))
    beginning, _, row = str(compiled).partition(" VALUES ")
    types = {name: predictions.c[name].type.dialect_impl(dialect) for name in compiled.positiontup}
    return _Insert(
        f"{beginning} VALUES ", row, [(name, found.bind_processor(dialect)) for name, found in types.items()]
    )
