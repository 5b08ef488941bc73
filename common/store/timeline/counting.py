"""Counts predictions and ground truths by moment, in the transaction that writes them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from common.store.rollups import COUNT_LABELS, COUNT_ROWS, KnownTruth, LabelCounts, LoggedRow, add_counts
from common.store.timeline.tables import KEPT, bucket_of, timeline_answers, timeline_truths

SHORTEST = min(KEPT)  # seconds; the lengths of the other buckets are multiples of it
_COUNTED = itemgetter("predicted_at", "is_outlier", "problem", "model_name", "model_version", "role")


def count_by_moment() -> None:
    """Have the store count by moment from now on; a second call changes nothing."""
    if count_rows not in COUNT_ROWS:
        COUNT_ROWS.append(count_rows)
        COUNT_LABELS.append(labels_of)


def count_rows(connection: sa.Connection, rows: Sequence[LoggedRow]) -> None:
    """Count rows of the log that were just inserted."""
    # A batch has many moments and few buckets: the rows of the shortest buckets are added up first.
    shortest: Counter[tuple[Any, ...]] = Counter()
    for (predicted_at, is_outlier, *model), count in Counter(map(_COUNTED, rows)).items():
        shortest[bucket_of(predicted_at, SHORTEST), bool(is_outlier), *model] += count
    counts: Counter[tuple[Any, ...]] = Counter()
    outliers: Counter[tuple[Any, ...]] = Counter()
    for (moment, is_outlier, *model), count in shortest.items():
        for seconds, began_at in _buckets(moment):
            key = (*model[:2], seconds, began_at, *model[2:])
            counts[key] += count
            outliers[key] += count if is_outlier else 0
    add_counts(connection, timeline_answers, [(*key, count, outliers[key]) for key, count in counts.items()])


def labels_of(rows: Sequence[LoggedRow], truth: KnownTruth) -> LabelCounts:
    """Return the labels of a ground truth by moment, for the rows of one prediction."""
    found: LabelCounts = Counter()
    for row in rows:
        is_right = row["class_name"] == truth.class_name
        for seconds, began_at in _buckets(bucket_of(row["predicted_at"], SHORTEST)):
            key = row["problem"], row["model_name"], seconds, began_at, row["model_version"], row["role"], is_right
            found[timeline_truths, key] += 1
    return found


def _buckets(moment: datetime) -> Iterator[tuple[int, datetime]]:
    """Yield the length and the begin of each bucket of a moment, without those that are not kept any more."""
    age = datetime.now(UTC) - moment
    return ((seconds, bucket_of(moment, seconds)) for seconds, kept in KEPT.items() if age < kept)
