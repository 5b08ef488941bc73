"""The log's INSERT: many rows in one statement.

SQLAlchemy's own insertion of many rows takes three times as long in all, since it looks up every value of every row by
name and hands the driver one row at a time; and the driver lets go of Python's lock, and takes it again, for each of
them, which a service that answers meanwhile feels as much. Here SQLAlchemy says the statement and how values of each
type are put, once, and the driver gets all rows as one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa

from common.store.tables import predictions

# Rows in one statement, of twelve values each. Of a few sizes only: a statement is prepared once and kept, and one for
# every number of rows would be 27 MB of them. None larger: what puts its values together holds Python's lock.
SIZES = (64, 16, 4, 1)

Put = Callable[[Any], Any]  # from a value to what the driver takes


@dataclass(frozen=True)
class _Insert:
    beginning: str
    row: str
    columns: Sequence[tuple[str, Put | None]]


def insert_missing(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Insert rows of the log; return whether none of them was there before. Those that are there stay as they are."""
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


def _column(rows: Sequence[Mapping[str, Any]], name: str, put: Put | None) -> Sequence[Any]:
    values = list(map(itemgetter(name), rows))
    if put is None:
        return values
    if name == "predicted_at":  # the same for many rows
        moments = {moment: put(moment) for moment in set(values)}
        return [moments[moment] for moment in values]
    return list(map(put, values))


@lru_cache(maxsize=4)
def _insert(dialect: sa.Dialect, names: Sequence[str]) -> _Insert:
    # By place, which every driver understands; psycopg's own way is by name.
    style, make = "qmark" if dialect.paramstyle == "qmark" else "format", cast("Any", type(dialect))
    compiled: Any = predictions.insert().compile(dialect=make(paramstyle=style), column_keys=list(names))
    beginning, _, row = str(compiled).partition(" VALUES ")
    types = {name: predictions.c[name].type.dialect_impl(dialect) for name in compiled.positiontup}
    return _Insert(
        f"{beginning} VALUES ", row, [(name, found.bind_processor(dialect)) for name, found in types.items()]
    )
