"""Buckets of the strip, and accuracies of as many neighbouring buckets as an accuracy needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from common.evaluate import Estimate, wilson
from common.store.timeline.timeline import BucketCounts
from monitor.page.timeline.window import Window
from monitor.statistics.enough import STRIP_LABELS


@dataclass(frozen=True)
class Bucket:
    """The champion's answers from `began_at` to before `ended_at`: rows, outliers, ground truths, right answers."""

    began_at: datetime
    ended_at: datetime
    predictions: int = 0
    outliers: int = 0
    labels: int = 0
    right: int = 0


@dataclass(frozen=True)
class AccuracyStep:
    """The accuracy of the buckets from `began_at` to before `ended_at`, which hold `labels` ground truths together."""

    began_at: datetime
    ended_at: datetime
    labels: int
    right: int
    accuracy: Estimate


def buckets_of(window: Window, counts: Iterable[BucketCounts]) -> list[Bucket]:
    """Return all buckets of a window, empty ones too, with the sums of the stored counts."""
    sums: dict[datetime, list[int]] = {}
    for each in counts:
        total = sums.setdefault(window.bucket(_moment(each.began_at)), [0, 0, 0, 0])
        for place, count in enumerate((each.predictions, each.outliers, each.labels, each.right)):
            total[place] += count
    number = round((window.until - window.since) / window.step)
    begins = [window.since + place * window.step for place in range(number)]
    return [Bucket(begin, begin + window.step, *sums.get(begin, ())) for begin in begins]


def accuracy_steps(buckets: Sequence[Bucket], least: int = STRIP_LABELS) -> list[AccuracyStep]:
    """Return the accuracies of neighbouring buckets, from the first one on; each step has at least `least` labels.

    Labels at the end that are too few for a step are in none.
    """
    found: list[AccuracyStep] = []
    labels = right = 0
    began_at: datetime | None = None
    for bucket in buckets:
        if not bucket.labels:
            continue
        began_at = began_at or bucket.began_at
        labels, right = labels + bucket.labels, right + bucket.right
        if labels >= least and (accuracy := wilson(right, labels)):
            found.append(AccuracyStep(began_at, bucket.ended_at, labels, right, accuracy))
            labels, right, began_at = 0, 0, None
    return found


def _moment(begin: datetime | date) -> datetime:
    return begin if isinstance(begin, datetime) else datetime(begin.year, begin.month, begin.day, tzinfo=UTC)
