"""The timeline of a request: its window, buckets, accuracies and events, as tables and as the picture of the strip."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel

from common.store.monitoring.alerts import Alert
from common.store.timeline.timeline import TimeSpan
from monitor.page.panels import Panel, PanelTable, PanelText
from monitor.page.tabs import cells
from monitor.page.timeline.buckets import AccuracyStep, Bucket, accuracy_steps, buckets_of
from monitor.page.timeline.events import Events, Known, events_of
from monitor.page.timeline.window import SPANS, Window, given_window, named_window, shortest_span
from monitor.page.view import AUTO, View
from monitor.statistics.enough import STRIP_LABELS

MOST_READ = 2_000  # corrections of a window whose moments are read, and as many that were put into quarantine
MOST_ALERTS = 200
COUNTS = PanelText("timeline", "Predictions over time", "There was no prediction in this time.")
ACCURACY = PanelText(
    "timeline-accuracy",
    "Accuracy over time",
    f"Not enough data: an accuracy needs {STRIP_LABELS} predictions with ground truth.",
    f"The champion's, by the time of the prediction. A row has at least {STRIP_LABELS} predictions with ground truth.",
)
EVENTS = PanelText("timeline-events", "Events", "Nothing happened in this time.")


class TimelineData(BaseModel):
    """The timeline as JSON: buckets, accuracies and events, each as a table.

    Attributes:
        since: the begin of the first bucket, in UTC.
        until: the end of the last bucket, in UTC.
        seconds: the length of a bucket.
        earlier: the number of older events of this time that are left out.
    """

    problem: str
    since: datetime
    until: datetime
    seconds: int
    versions: list[int]
    earlier: int
    panels: list[Panel]


@dataclass(frozen=True)
class StripContent:
    """All that the strip shows.

    Attributes:
        has_traffic: whether the problem has ever had a prediction.
    """

    problem: str
    window: Window
    versions: list[int]
    buckets: list[Bucket]
    steps: list[AccuracyStep]
    events: Events
    alerts: list[Alert]
    has_traffic: bool

    def data(self) -> TimelineData:
        """Return the tables."""
        window = self.window
        return TimelineData(
            problem=self.problem,
            since=window.since,
            until=window.until,
            seconds=window.width,
            versions=self.versions,
            earlier=self.events.earlier,
            panels=[self.accuracy(), self.counts(), self.happened()],
        )

    def counts(self) -> Panel:
        """Return the table of the buckets that have predictions."""
        return (
            PanelTable(COUNTS, [each for each in self.buckets if each.predictions or each.labels])
            .add("moment", "from", "From", lambda each: each.began_at)
            .add("moment", "to", "To", lambda each: each.ended_at)
            .add("integer", "predictions", "Predictions", lambda each: each.predictions)
            .add("integer", "outliers", "Outliers", lambda each: each.outliers)
            .add("integer", "labels", cells.WITH_TRUTH, lambda each: each.labels)
            .add("integer", "right", "Right", lambda each: each.right)
            .panel()
        )

    def accuracy(self) -> Panel:
        """Return the table of the accuracies."""
        return (
            PanelTable(ACCURACY, self.steps)
            .add("moment", "from", "From", lambda each: each.began_at)
            .add("moment", "to", "To", lambda each: each.ended_at)
            .columns(cells.estimate_columns({"accuracy": "Accuracy"}), lambda each: cells.estimate_cells(each.accuracy))
            .add("integer", "labels", cells.WITH_TRUTH, lambda each: each.labels)
            .add("integer", "right", "Right", lambda each: each.right)
            .panel()
        )

    def happened(self) -> Panel:
        """Return the table of the events, newest first."""
        return (
            PanelTable(EVENTS, list(reversed(self.events.found)))
            .add("moment", "at", "Time", lambda each: each.at)
            .add("text", "kind", "Event", lambda each: each.kind.capitalize())
            .add("link", "what", "More", lambda each: f"{each.words.replace('|', '/')}|{each.url}")
            .panel()
        )


def timeline_of(view: View, now: datetime | None = None) -> StripContent:
    """Return the timeline of a view at a moment, which is the present one unless given."""
    now = now or datetime.now(UTC)
    store, name, problem = view.store, view.span.model_name, view.selection.problem
    periods = store.champions.history(name) if name else []
    window = _window(view, now, [each.since for each in periods])
    span = TimeSpan(problem, name, window.since, window.until, view.span.versions)
    buckets = buckets_of(window, store.timeline.counts(span, window.source))
    happenings, asked = store.timeline.happenings, (problem, window.since, window.until)
    alerts = [*store.alerts.between(*asked, MOST_ALERTS), *store.alerts.between("", *asked[1:], MOST_ALERTS)]
    known = Known(
        problem,
        periods,
        happenings.verdicts(*asked, MOST_READ),
        happenings.corrections(*asked, MOST_READ),
        happenings.quarantined(*asked, MOST_READ),
        alerts,
    )
    return StripContent(
        problem,
        window,
        view.selection.versions,
        buckets,
        accuracy_steps(buckets),
        events_of(known, window),
        alerts,
        has_traffic=bool(view.models),
    )


def _window(view: View, now: datetime, served_since: list[datetime]) -> Window:
    chosen = view.selection
    if chosen.span in SPANS:
        return named_window(chosen.span, now)
    if chosen.span == AUTO:
        first = view.store.timeline.first(chosen.problem, view.span.model_name)
        return named_window(shortest_span(now - min([now, *served_since, *([first] if first else [])])), now)
    return given_window(*view.bounds, now)
