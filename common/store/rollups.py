"""The roll-ups are counted as rows come, so that no reader ever scans the log."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
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


def label_counts(rows: Sequence[LoggedRow], truth: KnownTruth | None) -> LabelCounts:
    """Return the labels that a ground truth gives to the rows of one prediction; none without a ground truth."""
    if truth is None:
        return Counter()
    found = Counter((confusion_counts, _cell(row, truth.class_name)) for row in rows)
    by_role = {row["role"]: row for row in rows}
    if by_role.keys() == {"champion", "shadow"}:
        champion, shadow = by_role["champion"], by_role["shadow"]
        pair = champion["problem"], champion["model_name"], champion["model_version"], shadow["model_version"]
        right = champion["class_name"] == truth.class_name, shadow["class_name"] == truth.class_name
        found[paired_counts, (*pair, champion["predicted_at"].date(), *right)] = 1
        found[paired_truths, (*pair, truth.trusted, *right)] = 1
    return found


def _cell(row: LoggedRow, ground_truth: str) -> Key:
    model = row["problem"], row["model_name"], row["model_version"], row["role"]
    return (*model, row["predicted_at"].date(), ground_truth, row["class_name"])


def add_label_counts(connection: sa.Connection, change: LabelCounts) -> None:
    """Add a change of the labels to the roll-ups."""
    for (table, key), count in change.items():
        if count:
            add_counts(connection, table, ("labels",), {key: (count,)})


def add_delays(connection: sa.Connection, rows: Iterable[LoggedRow], received: Mapping[str, datetime]) -> None:
    """Add to the roll-up how late the first ground truths came; `received` has their times by prediction id."""
    counts: Counter[Key] = Counter()
    seconds: defaultdict[Key, float] = defaultdict(float)
    for row in rows:
        if row["role"] == "champion" and row["id"] in received:
            key = row["problem"], row["model_name"], row["predicted_at"].date()
            counts[key] += 1
            # Clocks differ: a ground truth that seems older than its prediction has no delay.
            seconds[key] += max((received[row["id"]] - row["predicted_at"]).total_seconds(), 0.0)
    add_counts(connection, label_delays, ("labels", "seconds"), {key: (counts[key], seconds[key]) for key in counts})


def add_counts(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], counts: Mapping[Key, Sequence[float]]
) -> None:
    """Add to the `columns` of a roll-up's rows, which `counts` names by their primary key; insert missing rows.

    Writers take turns, so that no other writer inserts the row between the two statements.
    """
    keys = list(table.primary_key.columns)
    for key, amounts in counts.items():
        this_row = [column == value for column, value in zip(keys, key, strict=True)]
        added = {name: table.c[name] + amount for name, amount in zip(columns, amounts, strict=True)}
        if connection.execute(table.update().where(*this_row).values(added)).rowcount == 0:
            values = {column.name: value for column, value in zip(keys, key, strict=True)}
            connection.execute(table.insert().values(values | dict(zip(columns, amounts, strict=True))))
