"""Events in one list: versions, refusals, corrections, alerts and drift, each with its page."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

from common.store.champions import ChampionPeriod, How
from common.store.monitoring.alerts import Alert
from common.store.timeline.happenings import VerdictAt
from monitor.page.timeline.window import Window
from monitor.statistics.breaches import DRIFT

EventKind = Literal[
    "served", "promoted", "rolled back", "refused", "corrections", "quarantined",
    "alert began", "alert ended", "drift began", "drift ended",
]  # fmt: skip
MOST_EVENTS = 100
KINDS: dict[How, EventKind] = {"registered": "served", "promoted": "promoted", "rolled back": "rolled back"}
BEGAN: dict[str, EventKind] = {"alert": "alert began", "drift": "drift began"}
ENDED: dict[str, EventKind] = {"alert": "alert ended", "drift": "drift ended"}
REFUSED = "refused"


@dataclass(frozen=True)
class TimelineEvent:
    """Something that happened at a moment.

    Attributes:
        at: when; of corrections, the begin of their bucket.
        words: a sentence about it.
        url: the path of the page that explains it.
        short: one or two characters for the mark, such as the version.
    """

    at: datetime
    kind: EventKind
    words: str
    url: str
    short: str = ""


@dataclass(frozen=True)
class Known:
    """Everything that the store knows of a problem's window; each part is bounded by its reader.

    Attributes:
        corrections: the moments at which corrections came.
        quarantined: the moments at which vetting stopped corrections.
    """

    problem: str
    periods: Sequence[ChampionPeriod] = ()
    verdicts: Sequence[VerdictAt] = ()
    corrections: Sequence[datetime] = ()
    quarantined: Sequence[datetime] = ()
    alerts: Sequence[Alert] = ()


@dataclass(frozen=True)
class Events:
    """The events of a window, oldest first, and the number of older ones that are left out."""

    found: list[TimelineEvent] = field(default_factory=list)
    earlier: int = 0


def events_of(known: Known, window: Window, most: int = MOST_EVENTS) -> Events:
    """Return the newest events of a window."""
    found = [
        *_of_versions(known),
        *_of_corrections(known, window, "corrections", known.corrections),
        *_of_corrections(known, window, "quarantined", known.quarantined),
        *_of_alerts(known),
    ]
    inside = sorted((each for each in found if window.since <= each.at < window.until), key=lambda each: each.at)
    return Events(inside[-most:], max(len(inside) - most, 0))


def _of_versions(known: Known) -> Iterator[TimelineEvent]:
    for period in known.periods:
        version = period.model_version
        did = {"registered": "began to serve", "promoted": "was promoted", "rolled back": "came back by a rollback"}
        words = f"Version {version} {did[period.how]}{f': {period.because}' if period.because else ''}"
        url = f"/lineage/versions/{version}?{urlencode({'problem': known.problem})}"
        yield TimelineEvent(period.since, KINDS[period.how], words, url, f"v{version}")
    for verdict in known.verdicts:
        if verdict.verdict == REFUSED:
            what = f"version {verdict.version}" if verdict.version else "a candidate"
            short = f"v{verdict.version}" if verdict.version else ""
            url = _tab("corrections", known.problem, "verdicts")
            yield TimelineEvent(verdict.judged_at, "refused", f"The gate refused {what}", url, short)


def _of_corrections(
    known: Known, window: Window, kind: Literal["corrections", "quarantined"], moments: Iterable[datetime]
) -> Iterator[TimelineEvent]:
    verb, place = {"corrections": ("came", "corrections"), "quarantined": ("put into quarantine", "quarantined")}[kind]
    inside = (moment for moment in moments if window.since <= moment < window.until)
    for at, count in Counter(map(window.bucket, inside)).items():
        words = f"{count:,} correction{'s' if count > 1 else ''} {verb}"
        yield TimelineEvent(at, kind, words, _tab("corrections", known.problem, place), f"{count}")


def _of_alerts(known: Known) -> Iterator[TimelineEvent]:
    together: defaultdict[tuple[datetime, EventKind], list[Alert]] = defaultdict(list)
    for alert in known.alerts:
        what: Literal["drift", "alert"] = "drift" if alert.kind == DRIFT else "alert"
        together[alert.began_at, BEGAN[what]].append(alert)
        if alert.ended_at:
            together[alert.ended_at, ENDED[what]].append(alert)
    for (at, kind), alerts in together.items():
        verb = kind.rpartition(" ")[2]
        words = f"{len(alerts)} alerts {verb}: {', '.join(sorted(map(name_of, alerts)))}"
        if len(alerts) == 1:
            words = f"Alert {verb}: {alerts[0].message}"
        yield TimelineEvent(at, kind, words, alert_url(known.problem, alerts[0]), f"{len(alerts)}")


def name_of(alert: Alert) -> str:
    """Return the kind and the subject of an alert."""
    return " ".join(filter(None, (alert.kind.replace("_", " "), alert.subject)))


def alert_url(problem: str, alert: Alert) -> str:
    """Return the path of the page that explains an alert."""
    return _tab("drift", problem) if alert.kind == DRIFT else f"/?{urlencode({'problem': problem})}#alerts"


def _tab(name: str, problem: str, place: str = "") -> str:
    return f"/tab/{name}?{urlencode({'problem': problem})}{f'#{place}' if place else ''}"
