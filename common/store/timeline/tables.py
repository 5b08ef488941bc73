"""The roll-ups by moment, in the metadata of the store's other tables. Migration 0007 makes them.

A bucket is a piece of time of `seconds` that begins at `began_at`, a multiple of its length. Each prediction is in one
bucket of each length in `KEPT`. By day the store counts in `prediction_counts` and `confusion_counts`, for ever.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.store.tables import UtcDateTime, metadata, name_column, problem_column

# The lengths of the buckets in seconds, and how long the store keeps them.
KEPT = {10: timedelta(hours=2), 60: timedelta(days=2), 3_600: timedelta(days=90)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _bucket_columns() -> tuple[sa.Column[Any], ...]:
    # The key begins with the columns that a reader fixes, then has the moment: a strip is one range of the index.
    return (
        problem_column(primary_key=True),
        name_column("model_name", primary_key=True),
        sa.Column("seconds", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("began_at", UtcDateTime, primary_key=True),
        sa.Column("model_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), primary_key=True),
    )


timeline_answers = sa.Table(
    "timeline_answers",
    metadata,
    *_bucket_columns(),
    sa.Column("predictions", sa.Integer, nullable=False),
    sa.Column("outliers", sa.Integer, nullable=False),
)
# The ground truths of a bucket's predictions, by whether the answer was right.
timeline_truths = sa.Table(
    "timeline_truths",
    metadata,
    *_bucket_columns(),
    sa.Column("is_right", sa.Boolean, primary_key=True),
    sa.Column("labels", sa.Integer, nullable=False),
)


def bucket_of(moment: datetime, seconds: int) -> datetime:
    """Return the begin of the bucket of a length that a moment is in."""
    return moment - (moment - EPOCH) % timedelta(seconds=seconds)
