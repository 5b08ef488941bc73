"""Counting labels as they come, so that nobody ever has to scan the log."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from common.store.tables import confusion_counts, label_delays, paired_counts

# A row of the log, as far as it is judged: id, role, problem, model, version, moment and class.
Judged = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Tally:
    """Labels by cell, by the keys of the two roll-ups; or changes of them, which may be negative."""

    confusion: Counter[Key] = field(default_factory=Counter)
    pairs: Counter[Key] = field(default_factory=Counter)

    def __add__(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(_sum(self.confusion, other.confusion, 1), _sum(self.pairs, other.pairs, 1))

    def __sub__(self, other: "Tally") -> "Tally":
        """Return the change from `other` to this one."""
        return Tally(_sum(self.confusion, other.confusion, -1), _sum(self.pairs, other.pairs, -1))


def tally(rows: Sequence[Judged], truth: str | None) -> Tally:
    """Return the labels that one truth gives to all rows of one prediction; none for no truth."""
    if truth is None:
        return Tally()
    confusion = Counter(_cell(row, truth) for row in rows)
    by_role = {row["role"]: row for row in rows}
    if by_role.keys() != {"champion", "shadow"}:
        return Tally(confusion)
    champion, shadow = by_role["champion"], by_role["shadow"]
    pair = (
        *(champion["problem"], champion["model_name"], champion["model_version"], shadow["model_version"]),
        *(champion["predicted_at"].date(), champion["class_name"] == truth, shadow["class_name"] == truth),
    )
    return Tally(confusion, Counter([pair]))


def count_labels(connection: sa.Connection, change: Tally) -> None:
    """Add a change to the roll-ups."""
    for table, counts in ((confusion_counts, change.confusion), (paired_counts, change.pairs)):
        add_counts(connection, table, ("labels",), {key: (count,) for key, count in counts.items() if count})


def count_delays(connection: sa.Connection, rows: Iterable[Judged], told: Mapping[str, datetime]) -> None:
    """Add to the roll-up how late the first truths about predictions came, which were told at these times, by id."""
    counts: Counter[Key] = Counter()
    seconds: defaultdict[Key, float] = defaultdict(float)
    for row in rows:
        if row["role"] == "champion" and row["id"] in told:
            key = row["problem"], row["model_name"], row["predicted_at"].date()
            counts[key] += 1
            # A truth may be kept before the prediction is: that is no delay.
            seconds[key] += max((told[row["id"]] - row["predicted_at"]).total_seconds(), 0.0)
    add_counts(connection, label_delays, ("labels", "seconds"), {key: (counts[key], seconds[key]) for key in counts})


def add_counts(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], counts: Mapping[Key, Sequence[float]]
) -> None:
    """Add to the `columns` of a table's rows, which are named by their primary key; rows that are missing are made.

    Writers take turns, so that nobody can make the row between the two statements.
    """
    keys = list(table.primary_key.columns)
    for key, amounts in counts.items():
        place = [column == value for column, value in zip(keys, key, strict=True)]
        added = {name: table.c[name] + amount for name, amount in zip(columns, amounts, strict=True)}
        if connection.execute(table.update().where(*place).values(added)).rowcount == 0:
            named = {column.name: value for column, value in zip(keys, key, strict=True)}
            connection.execute(table.insert().values(named | dict(zip(columns, amounts, strict=True))))


def _cell(row: Judged, truth: str) -> Key:
    model = (row["problem"], row["model_name"], row["model_version"], row["role"])
    return (*model, row["predicted_at"].date(), truth, row["class_name"])


def _sum(counts: Counter[Key], more: Counter[Key], sign: int) -> Counter[Key]:
    # Counter's own operators drop what is not positive.
    keys = counts.keys() | more.keys()
    return Counter({key: counts[key] + sign * more[key] for key in keys})
