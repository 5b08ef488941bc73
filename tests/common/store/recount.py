"""The roll-ups, counted once more from the log and the truths alone."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from common.store import Store
from common.store.tables import confusion_counts, feedback, paired_counts, prediction_counts, predictions

Counts = Counter[tuple[Any, ...]]


@dataclass
class RollUps:
    """What the three tables count, by their keys; that it is zero and that there is no row are the same."""

    predictions: Counts = field(default_factory=Counter)
    outliers: Counts = field(default_factory=Counter)
    labels: Counts = field(default_factory=Counter)
    pairs: Counts = field(default_factory=Counter)


def assert_counted(store: Store) -> RollUps:
    """Assert that the roll-ups are what a recount finds; return them."""
    # Nobody can write between one table and the next.
    with store._database.writing() as connection:
        kept, counted = _kept(connection), _recount(connection)
    assert kept == counted
    return kept


def _kept(connection: sa.Connection) -> RollUps:
    return RollUps(
        _read(connection, prediction_counts, "predictions"),
        _read(connection, prediction_counts, "outliers"),
        _read(connection, confusion_counts, "labels"),
        _read(connection, paired_counts, "labels"),
    )


def _read(connection: sa.Connection, table: sa.Table, counted: str) -> Counts:
    keys = [column.name for column in table.primary_key]
    rows = connection.execute(sa.select(table)).mappings()
    return Counter({tuple(row[key] for key in keys): row[counted] for row in rows})


def _recount(connection: sa.Connection) -> RollUps:
    found = RollUps()
    log = connection.execute(sa.select(predictions)).mappings().all()
    told = connection.execute(sa.select(feedback.c.prediction_id, feedback.c.class_name))
    truths = {row.prediction_id: row.class_name for row in told}
    for row in log:
        _count(row, truths.get(row["id"]), found)
    champions, shadows = ({row["id"]: row for row in log if row["role"] == role} for role in ("champion", "shadow"))
    for each in champions.keys() & shadows.keys() & truths.keys():
        _count_pair(champions[each], shadows[each], truths[each], found)
    return found


def _count(row: sa.RowMapping, truth: str | None, found: RollUps) -> None:
    day = row["predicted_at"].date()
    place = (row["problem"], row["model_name"], row["model_version"], row["role"], day)
    found.predictions[*place, row["class_name"]] += 1
    found.outliers[*place, row["class_name"]] += row["is_outlier"] is True
    if truth is not None:
        found.labels[*place, truth, row["class_name"]] += 1


def _count_pair(champion: sa.RowMapping, shadow: sa.RowMapping, truth: str, found: RollUps) -> None:
    versions = (champion["model_version"], shadow["model_version"])
    right = (champion["class_name"] == truth, shadow["class_name"] == truth)
    day = champion["predicted_at"].date()
    found.pairs[champion["problem"], champion["model_name"], *versions, day, *right] += 1
