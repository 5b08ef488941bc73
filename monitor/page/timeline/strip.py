"""The picture of the timeline: rows of an SVG without a width of its own, so all places are shares of the width."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from monitor.page.formatting import formatted, formatted_interval
from monitor.page.timeline.events import EventKind, TimelineEvent, alert_url, name_of
from monitor.page.timeline.timeline import StripContent
from monitor.page.timeline.window import Window
from monitor.statistics.breaches import DRIFT
from monitor.statistics.enough import STRIP_LABELS

ACCURACY_HEIGHT, TRAFFIC_HEIGHT, LANE_HEIGHT = 66, 34, 20  # pixels
TOP = 5  # free pixels above 100 %
FLOORS = (0.75, 0.5, 0.25, 0.0)  # the scale of accuracies begins at the highest that is below all intervals
LEAST_BAR = 1.5  # pixels of a bucket with one prediction
MOST_TICKS = 6
CLOSE = 4.5  # percent of the width: a mark that is closer than this to the next one has no words
LANES: dict[str, tuple[EventKind, ...]] = {
    "Versions": ("served", "promoted", "rolled back", "refused"),
    "Corrections": ("corrections", "quarantined"),
}
CHANGES = ("served", "promoted", "rolled back")
# The shape of a mark, around (0, 0): they differ by more than their colour.
SHAPES: dict[str, str] = {
    "served": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "promoted": "M0-5l5 9h-10z",
    "rolled back": "M0 5l5-9h-10z",
    "refused": "M-4-4l8 8m-8 0l8-8",
    "corrections": "M-4-4h8v8h-8z",
    "quarantined": "M0-5l5 5l-5 5l-5-5z",
}
# Distances between the times on the axis, in seconds; longer ones have days.
TICKS = (60, 180, 300, 600, 1_800, 3_600, 10_800, 14_400, 21_600, 43_200, 86_400, 432_000, 1_296_000, 2_592_000)
Shown = Literal["time", "day"]


@dataclass(frozen=True)
class Area:
    """A rectangle: `x` and `width` in percent, `y` and `height` in pixels."""

    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True)
class Hover:
    """A column that tells its numbers: its place, its time, and what happened in it."""

    x: float
    width: float
    began_at: datetime
    ended_at: datetime
    words: str


@dataclass(frozen=True)
class Mark:
    """An event at `x` percent, with its shape and, if there is room, its short words."""

    x: float
    kind: str
    shape: str
    short: str
    event: TimelineEvent


@dataclass(frozen=True)
class Stretch:
    """An alert from its begin to its end, in a lane of its own; `open` if it goes on."""

    box: Area
    kind: Literal["alert", "drift"]
    words: str
    url: str
    open: bool


@dataclass(frozen=True)
class Tick:
    """A time below the strip."""

    x: float
    at: datetime
    shown: Shown


class Strip:
    """The picture. The style sheet has its colours.

    Attributes:
        floor: the accuracy at the lower end of the scale; the upper end is 1.
        most: the predictions of the fullest bucket.
        labels: the predictions with ground truth, of which an accuracy needs `least`.
        bands: the intervals of the accuracies; `lines` are the accuracies themselves, boxes without a height.
    """

    accuracy_height, traffic_height, lane_height = ACCURACY_HEIGHT, TRAFFIC_HEIGHT, LANE_HEIGHT

    def __init__(self, timeline: StripContent) -> None:
        """Draw a timeline."""
        self._timeline, self._window = timeline, timeline.window
        steps, buckets = timeline.steps, timeline.buckets
        lowest = min((each.accuracy.low for each in steps), default=1.0)
        self.labels, self.least = sum(each.labels for each in buckets), STRIP_LABELS
        self.floor = next(floor for floor in FLOORS if floor <= lowest)
        self.most = max((each.predictions for each in buckets), default=0)
        places = [self._place(each.began_at, each.ended_at) for each in steps]
        self.bands = [
            Area(*place, self._y(each.accuracy.high), self._y(each.accuracy.low) - self._y(each.accuracy.high))
            for place, each in zip(places, steps, strict=True)
        ]
        self.lines = [Area(*place, self._y(each.accuracy.value), 0) for place, each in zip(places, steps, strict=True)]

    def bars(self) -> Iterator[Area]:
        """Yield the predictions of each bucket."""
        for each in self._timeline.buckets:
            if each.predictions:
                height = max(each.predictions / self.most * (TRAFFIC_HEIGHT - 2), LEAST_BAR)
                yield Area(*self._place(each.began_at, each.ended_at), TRAFFIC_HEIGHT - height, height)

    def hovers(self) -> Iterator[Hover]:
        """Yield what each bucket tells, with the accuracy of the step that it is in."""
        steps = list(self._timeline.steps)
        for bucket in self._timeline.buckets:
            while steps and steps[0].ended_at <= bucket.began_at:
                steps.pop(0)
            words = [f"{bucket.predictions:,} prediction{'' if bucket.predictions == 1 else 's'}"]
            if bucket.outliers:
                words.append(f"{bucket.outliers:,} outlier{'' if bucket.outliers == 1 else 's'}")
            if steps and steps[0].began_at <= bucket.began_at:
                accuracy = steps[0].accuracy
                interval = formatted_interval(accuracy.low, accuracy.high, "ratio")
                value = formatted(accuracy.value, "ratio")
                words.append(f"accuracy {value} ({interval}) of {steps[0].labels:,} ground truths")
            elif bucket.predictions:
                words.append("not enough ground truths for an accuracy")
            place = self._place(bucket.began_at, bucket.ended_at)
            yield Hover(*place, bucket.began_at, bucket.ended_at, ", ".join(words))

    def changes(self) -> list[float]:
        """Return where another version began to answer, in percent."""
        return [self._percent(each.at) for each in self._timeline.events.found if each.kind in CHANGES]

    def lanes(self) -> dict[str, list[Mark]]:
        """Return the marks of each lane that has some."""
        found = {lane: self._marks(kinds) for lane, kinds in LANES.items()}
        return {lane: marks for lane, marks in found.items() if marks}

    def stretches(self) -> list[Stretch]:
        """Return the alerts, those of drift below the others; equal ones are drawn once."""
        found: dict[tuple[bool, float, float], list[str]] = {}
        urls: dict[tuple[bool, float, float], tuple[str, bool]] = {}
        for alert in self._timeline.alerts:
            x, width = self._place(alert.began_at, alert.ended_at or self._window.until)
            key = alert.kind == DRIFT, x, max(width, 0.4)
            found.setdefault(key, []).append(name_of(alert))
            urls[key] = alert_url(self._timeline.problem, alert), alert.ended_at is None
        return [
            Stretch(
                Area(x, width, 12 if is_drift else 2, 6),
                "drift" if is_drift else "alert",
                f"{len(names)} alerts: {', '.join(sorted(names))}" if len(names) > 1 else f"Alert: {names[0]}",
                *urls[is_drift, x, width],
            )
            for (is_drift, x, width), names in found.items()
        ]

    def ticks(self) -> list[Tick]:
        """Return the times below the strip."""
        length = self._window.until - self._window.since
        apart = next((each for each in TICKS if length / timedelta(seconds=each) <= MOST_TICKS), None)
        step = timedelta(seconds=apart) if apart else length / MOST_TICKS
        shown: Shown = "time" if step < timedelta(days=1) else "day"
        at = self._window.since + (-self._window.since.timestamp() % step.total_seconds()) * timedelta(seconds=1)
        found = []
        while at < self._window.until:
            found.append(Tick(self._percent(at), at, shown))
            at += step
        return found

    def description(self) -> str:
        """Describe the accuracies and the traffic in a few sentences, for a reader who does not see them."""
        buckets, steps = self._timeline.buckets, self._timeline.steps
        predictions = sum(each.predictions for each in buckets)
        words = [f"{predictions:,} predictions"]
        if steps:
            values = [each.accuracy.value for each in steps]
            ends = [formatted(value, "ratio") for value in (min(values), max(values), values[-1])]
            words.append(f"accuracy between {ends[0]} and {ends[1]}, at the end {ends[2]}")
        else:
            words.append("not enough ground truths for an accuracy")
        return f"{', '.join(words)}. The tables below have all numbers."

    def _marks(self, kinds: Sequence[EventKind]) -> list[Mark]:
        events = [each for each in self._timeline.events.found if each.kind in kinds]
        places = [self._percent(each.at) for each in events]
        following = [*places, 100.0][1:]
        return [
            Mark(x, each.kind.replace(" ", "-"), SHAPES[each.kind], each.short if after - x >= CLOSE else "", each)
            for each, x, after in zip(events, places, following, strict=True)
        ]

    def _place(self, began_at: datetime, ended_at: datetime) -> tuple[float, float]:
        begin = self._percent(began_at)
        return begin, round(self._percent(ended_at) - begin, 3)

    def _percent(self, moment: datetime) -> float:
        return round(100 * self._window.place(moment), 3)

    def _y(self, accuracy: float) -> float:
        share = (accuracy - self.floor) / (1 - self.floor)
        return round(TOP + (1 - share) * (ACCURACY_HEIGHT - 2 * TOP), 2)


def length_words(window: Window) -> str:
    """Return the length of a bucket in words."""
    for seconds, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if window.width % seconds == 0:
            number = window.width // seconds
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return f"{window.width} seconds"
