"""The roll-ups, counted once more from the log and the ground truths alone."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from common.store import Store
from common.store.tables import confusion_counts, feedback, paired_counts, paired_truths, prediction_counts, predictions

Counts = Counter[tuple[Any, ...]]


@dataclass
class RollUps:
    """The counts of four tables, by their keys. A Counter that lacks a key equals one that has zero there."""

    predictions: Counts = field(default_factory=Counter)
    outliers: Counts = field(default_factory=Counter)
    labels: Counts = field(default_factory=Counter)
    pairs: Counts = field(default_factory=Counter)
    truths: Counts = field(default_factory=Counter)


def assert_counted(store: Store) -> RollUps:
    """Assert that the roll-ups equal a recount; return them."""
    # In one transaction, so that no other writer comes between two tables.
    with store._database.writing() as connection:
        columns = ("predictions", "outliers", "labels", "labels", "labels")
        tables = (prediction_counts, prediction_counts, confusion_counts, paired_counts, paired_truths)
        kept = RollUps(*(_read(connection, *each) for each in zip(tables, columns, strict=True)))
        assert kept == _recount(connection)
    return kept


def _read(connection: sa.Connection, table: sa.Table, counted: str) -> Counts:
    rows = connection.execute(sa.select(*table.primary_key, table.c[counted]))
    return Counter({tuple(key): count for *key, count in rows})


def _recount(connection: sa.Connection) -> RollUps:
    found, by_id = RollUps(), dict[str, dict[str, sa.RowMapping]]()
    c = feedback.c
    known = {row[0]: row for row in connection.execute(sa.select(c.prediction_id, c.class_name, c.trusted))}
    truths = {prediction_id: row.class_name for prediction_id, row in known.items()}
    for row in connection.execute(sa.select(predictions)).mappings():
        model = row["problem"], row["model_name"], row["model_version"], row["role"], row["predicted_at"].date()
        found.predictions[*model, row["class_name"]] += 1
        found.outliers[*model, row["class_name"]] += row["is_outlier"] is True
        if row["id"] in truths:
            found.labels[*model, truths[row["id"]], row["class_name"]] += 1
            by_id.setdefault(row["id"], {})[row["role"]] = row
    for prediction_id, roles in by_id.items():
        if roles.keys() == {"champion", "shadow"}:
            champion, shadow, truth = roles["champion"], roles["shadow"], truths[prediction_id]
            versions = champion["model_version"], shadow["model_version"]
            right = champion["class_name"] == truth, shadow["class_name"] == truth
            day = champion["predicted_at"].date()
            pair = champion["problem"], champion["model_name"], *versions
            found.pairs[*pair, day, *right] += 1
            found.truths[*pair, known[prediction_id].trusted, *right] += 1
    return found
