"""The time that the strip shows, and the length of its buckets, which follows from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.store.timeline.tables import EPOCH, KEPT
from common.store.timeline.timeline import DAY

# The spans that a reader can choose, by their names in URLs.
SPANS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
LABELS = {"15m": "15 min", "1h": "1 h", "24h": "24 h", "7d": "7 d", "30d": "30 d", "90d": "90 d"}
LONGEST_UNASKED = "30d"
# Lengths of buckets in seconds. A longer bucket than the last one has several days.
WIDTHS = (10, 30, 60, 300, 900, 3_600, 7_200, 21_600, DAY)
MOST_BUCKETS = 120


@dataclass(frozen=True)
class Window:
    """A piece of time from `since` to before `until`, both in UTC.

    Attributes:
        width: the length of a bucket, in seconds.
        source: the length of the stored buckets that are added up, in seconds.
        name: the name of the span; "" for a time that the reader has given.
    """

    since: datetime
    until: datetime
    width: int
    source: int
    name: str = ""

    def bucket(self, moment: datetime) -> datetime:
        """Return the begin of the bucket of a moment; moments outside are in the first or the last one."""
        last = self.until - timedelta(seconds=self.width)
        return min(max(self.since + (moment - self.since) // self.step * self.step, self.since), last)

    @property
    def step(self) -> timedelta:
        """The length of a bucket."""
        return timedelta(seconds=self.width)

    def place(self, moment: datetime) -> float:
        """Return where a moment is, from 0 at the begin to 1 at the end."""
        return min(max((moment - self.since) / (self.until - self.since), 0.0), 1.0)


def named_window(name: str, now: datetime) -> Window:
    """Return the window of a span that ends now; the bucket that is not over yet is its last one."""
    length = SPANS[name]
    width, source = _lengths(length, length)
    until = _up(now, width)
    return Window(until - length, until, width, source, name)


def given_window(since: datetime, until: datetime, now: datetime) -> Window:
    """Return the window of a time that the reader has given, without the time that has not come yet.

    Its begin is moved back to that of a bucket; what the store keeps so far back decides about the length of a bucket.
    """
    width, source = _lengths(min(until, max(now, since)) - since, now - since)
    begin = _up(since + timedelta(microseconds=1), width) - timedelta(seconds=width)
    if width > DAY:
        begin = since
    end = min(_up(until, width, begin), max(_up(now, width, begin), begin))
    return Window(begin, max(end, begin + timedelta(seconds=width)), width, source)


def shortest_span(age: timedelta) -> str:
    """Return the shortest span that holds everything of this age; `LONGEST_UNASKED` for older things."""
    return next((name for name, length in SPANS.items() if length >= age), LONGEST_UNASKED)


def _lengths(length: timedelta, age: timedelta) -> tuple[int, int]:
    """Return the length of the buckets of a window and of the stored ones, in seconds; its begin is `age` ago."""
    for width in WIDTHS:
        source = max((each for each in (*KEPT, DAY) if width % each == 0), default=DAY)
        if length / timedelta(seconds=width) <= MOST_BUCKETS and (source == DAY or age <= KEPT[source]):
            return width, source
    return DAY * -(-length // timedelta(days=MOST_BUCKETS)), DAY


def _up(moment: datetime, width: int, since: datetime = EPOCH) -> datetime:
    """Return the first begin of a bucket that is not before a moment; buckets are counted from `since`."""
    step = timedelta(seconds=width)
    return since - (since - moment) // step * step
