"""The roll-ups are counted as rows come, so that no reader ever scans the log."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from common.store.tables import confusion_counts, label_delays, paired_counts, paired_truths

# The columns of a logged row that the labels depend on: id, role, problem, model, version, time and class.
LoggedRow = Mapping[str, Any]
Key = tuple[Any, ...]  # the primary key of a row in a roll-up
# Labels by roll-up and key. A Counter keeps negative counts in `update` and `subtract`, so it also describes a change.
LabelCounts = Counter[tuple[sa.Table, Key]]


class KnownTruth(NamedTuple):
    """A ground truth, and whether it counts where two versions are compared by trusted ones only."""

    class_name: str
    trusted: bool


# Rooms append functions. The first ones count rows of the log that were just inserted, in tables of their own. The
# others return the labels that a ground truth gives to the rows of one prediction, for tables of their own.
COUNT_ROWS: list[Callable[[sa.Connection, Sequence[LoggedRow]], None]] = []
COUNT_LABELS: list[Callable[[Sequence[LoggedRow], KnownTruth], LabelCounts]] = []


def label_counts(rows: Sequence[LoggedRow], truth: KnownTruth | None) -> LabelCounts:
    """Return the labels that a ground truth gives to the rows of one prediction; none without a ground truth."""
    if truth is None:
        return Counter()
    found = Counter((confusion_counts, (*_model(row), truth.class_name, row["class_name"])) for row in rows)
    by_role = {row["role"]: row for row in rows}
    if by_role.keys() == {"champion", "shadow"}:
        champion, shadow = by_role["champion"], by_role["shadow"]
        pair = champion["problem"], champion["model_name"], champion["model_version"], shadow["model_version"]
        right = champion["class_name"] == truth.class_name, shadow["class_name"] == truth.class_name
        found[paired_counts, (*pair, champion["predicted_at"].date(), *right)] = 1
        found[paired_truths, (*pair, truth.trusted, *right)] = 1
    for count in COUNT_LABELS:
        found.update(count(rows, truth))
    return found


def _model(row: LoggedRow) -> Key:
    names = ("problem", "model_name", "model_version", "role")
    return (*(row[name] for name in names), row["predicted_at"].date())


def add_label_counts(connection: sa.Connection, change: LabelCounts) -> None:
    """Add a change of the labels to the roll-ups."""
    for table in {table: None for table, _ in change}:
        rows = [(*key, count) for (its_table, key), count in change.items() if its_table is table and count]
        add_counts(connection, table, rows)


def add_delays(connection: sa.Connection, rows: Iterable[LoggedRow], received: Mapping[str, datetime]) -> None:
    """Add to the roll-up how late the first ground truths came; `received` has their times by prediction id."""
    known = [row for row in rows if row["role"] == "champion" and row["id"] in received]
    keys = [(row["problem"], row["model_name"], row["predicted_at"].date()) for row in known]
    # Clocks differ: a ground truth that seems older than its prediction has no delay.
    seconds = [max((received[row["id"]] - row["predicted_at"]).total_seconds(), 0.0) for row in known]
    add_counts(connection, label_delays, [(*key, 1, late) for key, late in zip(keys, seconds, strict=True)])


def add_counts(connection: sa.Connection, table: sa.Table, rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a roll-up: where it has the key of a row, the row's counts are added to those that are there.

    A row has the values of the table's columns, in their order.
    """
    if named := [dict(zip(table.columns.keys(), row, strict=True)) for row in rows]:
        connection.execute(_addition(table), named)


@cache
def _addition(table: sa.Table) -> sa.TextClause:
    names, keys = table.columns.keys(), table.primary_key.columns.keys()
    added = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names if name not in keys)
    statement = (
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES (:{', :'.join(names)}) "  # noqa: S608  # our own names
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
    )
    return sa.text(statement).bindparams(*(sa.bindparam(column.name, type_=column.type) for column in table.columns))
