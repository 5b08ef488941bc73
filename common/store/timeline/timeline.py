"""The reader of the roll-ups by moment, and the deletion of old buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product

import sqlalchemy as sa

from common.store.database import Database, StorePart
from common.store.tables import confusion_counts, prediction_counts
from common.store.timeline.counting import count_by_moment
from common.store.timeline.happenings import Happenings
from common.store.timeline.tables import EPOCH, KEPT, bucket_of, timeline_answers, timeline_truths

DAY = 86_400  # seconds; the days are those of the loop's own roll-ups, which the store keeps for ever
STEP = 500  # buckets that one transaction deletes at most
STEPS = 20  # transactions of one run
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class TimeSpan:
    """A piece of time of one model, from `since` to before `until`, both in UTC; `versions` is empty for all."""

    problem: str
    model_name: str
    since: datetime
    until: datetime
    versions: Sequence[int] = ()


@dataclass(frozen=True)
class BucketCounts:
    """The champion's answers in a bucket: rows, outliers, ground truths, and how many of these were right.

    `began_at` is a moment in UTC, or the day of a bucket that is a day.
    """

    began_at: datetime | date
    predictions: int = 0
    outliers: int = 0
    labels: int = 0
    right: int = 0


class Timeline(StorePart):
    """The champion's answers over time.

    Attributes:
        happenings: the times of verdicts and corrections.
    """

    def __init__(self, database: Database) -> None:
        """Use `database`, and have the store count by moment."""
        super().__init__(database)
        self.happenings = Happenings(database)
        count_by_moment()

    def counts(self, span: TimeSpan, seconds: int) -> list[BucketCounts]:
        """Return the counts of a span in buckets of this length, oldest first, without empty ones.

        Args:
            span: the model, its versions, and the time.
            seconds: one of the lengths in `KEPT`, or `DAY`.

        No query reads the log: the rows that are read depend on the length of the span and on the versions alone.
        """
        answers, truths = (
            (prediction_counts, confusion_counts) if seconds == DAY else (timeline_answers, timeline_truths)
        )
        c = truths.c
        is_right = c.true_class == c.predicted_class if seconds == DAY else c.is_right
        right = sa.func.sum(sa.case((is_right, c.labels), else_=0)).label("right")
        found: dict[datetime | date, dict[str, int]] = {}
        for table, sums in (
            (answers, [sa.func.sum(answers.c[name]).label(name) for name in ("predictions", "outliers")]),
            (truths, [sa.func.sum(c.labels).label("labels"), right]),
        ):
            moment = table.c.day if seconds == DAY else table.c.began_at
            chosen = _chosen(table, span, seconds)
            for row in self._database.read(sa.select(moment.label("at"), *sums).where(*chosen).group_by(moment)):
                found.setdefault(row["at"], {}).update({each.name: row[each.name] for each in sums})
        return [BucketCounts(began_at, **found[began_at]) for began_at in sorted(found)]

    def first(self, problem: str, model_name: str) -> datetime | None:
        """Return the begin of the oldest bucket that the store keeps, as exactly as it is known; None without one."""
        c = timeline_answers.c
        found: datetime | None = None
        longer = max(KEPT)
        for seconds in sorted(KEPT, reverse=True):
            chosen = c.problem == problem, c.model_name == model_name, c.seconds == seconds
            query = sa.select(c.began_at).where(*chosen).order_by(c.began_at).limit(1)
            for row in self._database.read(query):
                # A shorter bucket is more exact, unless the store has deleted those that were before it.
                found = row["began_at"] if found in (None, bucket_of(row["began_at"], longer)) else found
            longer = seconds
        return found

    def delete_old(self, now: datetime, steps: int = STEPS) -> int:
        """Delete buckets that are older than they are kept, some of them in each transaction.

        Returns:
            The number of transactions: as many as `steps` if there may be more to delete.
        """
        done = 0
        c = prediction_counts.c
        models = self._database.read(sa.select(c.problem, c.model_name).distinct())
        for model, (seconds, kept), table in product(models, KEPT.items(), (timeline_answers, timeline_truths)):
            old = TimeSpan(**model, since=EPOCH, until=now - kept - timedelta(seconds=seconds))
            while done < steps and self._delete_step(table, old, seconds):
                done += 1
        return done

    def _delete_step(self, table: sa.Table, old: TimeSpan, seconds: int) -> bool:
        """Delete the oldest of the buckets in a span; return whether there was any."""
        c = table.c
        model = c.problem == old.problem, c.model_name == old.model_name
        gone = *model, c.seconds == seconds, c.began_at < old.until
        oldest = self._database.read(sa.select(c.began_at).where(*gone).order_by(c.began_at).limit(STEP))
        if oldest:
            with self._database.writing(durable=False) as connection:
                connection.execute(table.delete().where(*gone, c.began_at <= oldest[-1]["began_at"]))
        return bool(oldest)


def _chosen(table: sa.Table, span: TimeSpan, seconds: int) -> list[sa.ColumnElement[bool]]:
    """Return a span as conditions on a roll-up, of which the champion's rows count."""
    c = table.c
    found = [c.problem == span.problem, c.model_name == span.model_name, c.role == "champion"]
    if seconds == DAY:
        found += [c.day.between(span.since.date(), (span.until - _INSTANT).date())]
    else:
        found += [c.seconds == seconds, c.began_at >= span.since, c.began_at < span.until]
    return [*found, c.model_version.in_(span.versions)] if span.versions else found
