"""Numbers, events and places of the strip, against a direct computation on the same rows."""

import csv
import io
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from common.evaluate import Estimate
from common.store import Store
from common.store.champions import ChampionPeriod
from common.store.monitoring.alerts import Alert
from common.store.timeline.happenings import VerdictAt
from monitor.page.csv_table import as_csv
from monitor.page.timeline.buckets import AccuracyStep, Bucket, accuracy_steps
from monitor.page.timeline.events import EventKind, Events, Known, TimelineEvent, events_of
from monitor.page.timeline.strip import Strip
from monitor.page.timeline.timeline import StripContent, timeline_of
from monitor.page.timeline.window import Window, named_window
from monitor.page.view import Selection, View
from tests.common.store.rows import CLASSES, MODEL, SETOSA, prediction, shadow, suggestion
from tests.monitor.references import backends_of

NOW = datetime(2026, 11, 28, 20, 57, 13, tzinfo=UTC)
# The moment of a row, its version, whether it is an outlier, and whether its answer is right; None without a truth.
Row = tuple[datetime, int, bool, bool | None]
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[Row]]:
    """A store, and its champion's rows of half an hour."""
    chance, now = np.random.default_rng(5), datetime.now(UTC)
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('timeline')}/lab.db")
    found: list[Row] = []
    written, truths = [], {}
    for number in range(400):
        at, version = now - 30 * MINUTE * float(chance.random()), int(chance.integers(1, 3))
        answer, truth = (CLASSES[index] for index in chance.integers(3, size=2))
        known, is_outlier = bool(chance.random() < 0.5), bool(chance.random() < 0.1)
        written.append(prediction(str(number), answer, version=version, at=at) | {"is_outlier": is_outlier})
        written.append(shadow(str(number), version=3) | {"predicted_at": at})
        found.append((at, version, is_outlier, answer == truth if known else None))
        if known:
            truths[str(number)] = truth
    early = [row for row in written if row["role"] == "champion" and row["id"] in truths][:150]
    store.known_rows.write(early, [truths.pop(row["id"]) for row in early])
    store.predictions.write(written)
    for name, truth in truths.items():
        store.feedback.give(name, truth)
    return store, found


@pytest.mark.parametrize("span", ["1h", "24h"])
@pytest.mark.parametrize("versions", [[], [2]], ids=["all", "one version"])
def test_buckets_and_accuracies_are_those_of_the_rows(
    rows: tuple[Store, list[Row]], span: str, versions: list[int]
) -> None:
    store, written = rows
    today = datetime.now(UTC).date()
    chosen = Selection(problem="iris", since=today, until=today, span=span, versions=versions)
    found = timeline_of(View(backends_of(store), chosen))
    its = [row for row in written if not versions or row[1] in versions]
    for bucket in found.buckets:
        inside = [row for row in its if bucket.began_at <= row[0] < bucket.ended_at]
        known = [right for *_, right in inside if right is not None]
        counts = len(inside), sum(is_outlier for _, _, is_outlier, _ in inside), len(known), sum(known)
        assert (bucket.predictions, bucket.outliers, bucket.labels, bucket.right) == counts
    assert sum(bucket.predictions for bucket in found.buckets) == len(its)
    assert found.steps
    for step in found.steps:
        known = [right for at, *_, right in its if step.began_at <= at < step.ended_at and right is not None]
        low, high = binomtest(sum(known), len(known)).proportion_ci(method="wilson")
        assert (step.labels, step.right) == (len(known), sum(known))
        assert vars(step.accuracy) == pytest.approx({"value": sum(known) / len(known), "low": low, "high": high})
        assert step.labels >= 20


def test_the_tables_hold_what_the_strip_shows(
    rows: tuple[Store, list[Row]],
) -> None:
    today = datetime.now(UTC).date()
    chosen = Selection(problem="iris", since=today, until=today, span="auto")
    found = timeline_of(View(backends_of(rows[0]), chosen))
    assert found.window.name == "1h"
    accuracy, counts, happened = found.data().panels
    assert [panel.id for panel in found.data().panels] == ["timeline-accuracy", "timeline", "timeline-events"]
    assert [row[2:5] for row in accuracy.rows] == [[*vars(step.accuracy).values()] for step in found.steps]
    assert sum(int(row[2] or 0) for row in counts.rows) == 400
    assert len(list(csv.reader(io.StringIO(as_csv(counts))))) == len(counts.rows) + 1
    assert happened.rows == []


def bucket(number: int, labels: int, right: int = 0) -> Bucket:
    return Bucket(NOW + number * MINUTE, NOW + (number + 1) * MINUTE, labels, 0, labels, right)


def test_an_accuracy_takes_as_many_buckets_as_it_needs_and_the_last_few_labels_wait() -> None:
    labelled = [bucket(1, 15, 15), bucket(2, 0), bucket(3, 5, 1), bucket(4, 30), bucket(5, 19)]
    steps = accuracy_steps([bucket(0, 0), *labelled])
    spans = [(step.began_at, step.ended_at, step.labels, step.right) for step in steps]
    assert spans == [(NOW + MINUTE, NOW + 4 * MINUTE, 20, 16), (NOW + 4 * MINUTE, NOW + 5 * MINUTE, 30, 0)]
    assert accuracy_steps([bucket(0, 19, 19)]) == []


def alert(number: int, began_at: datetime, ended_at: datetime | None = None, kind: str = "drift") -> Alert:
    words = f"feature {number} has drifted"
    return Alert(number, "iris", kind, f"f{number}", words, began_at, began_at, ended_at, None, 0, None)


def everything() -> Known:
    """Return something of each kind within the last quarter of an hour."""
    ago = [NOW - minutes * MINUTE for minutes in range(15)]
    return Known(
        "iris",
        [
            ChampionPeriod(1, ago[14], "registered"),
            ChampionPeriod(2, ago[9], "promoted", "31 to 6"),
            ChampionPeriod(1, ago[6], "rolled back"),
        ],
        [VerdictAt(ago[5], "refused", 3), VerdictAt(ago[4], "accepted", 4), VerdictAt(ago[3], "refused", None)],
        [ago[8], ago[8] + SECOND, ago[2]],
        [ago[8]],
        [alert(1, ago[7], ago[1]), alert(2, ago[7]), alert(3, ago[6], ago[5], "outliers")],
    )


def test_events_are_one_list_in_order_each_with_the_page_that_explains_it() -> None:
    window = named_window("15m", NOW)
    found = events_of(everything(), window).found
    assert [each.at for each in found] == sorted(each.at for each in found)
    kinds: list[EventKind] = [
        "served",
        "promoted",
        "corrections",
        "quarantined",
        "drift began",
        "rolled back",
        "alert began",
        "refused",
        "alert ended",
        "refused",
        "corrections",
        "drift ended",
    ]
    assert [each.kind for each in found] == kinds
    by_kind = {each.kind: each for each in found}
    assert by_kind["promoted"].words == "Version 2 was promoted: 31 to 6"
    assert by_kind["promoted"].url == "/lineage/versions/2?problem=iris"
    assert by_kind["refused"].url == "/tab/corrections?problem=iris#verdicts"
    assert by_kind["drift began"].words == "2 alerts began: drift f1, drift f2"
    assert by_kind["drift began"].url == "/tab/drift?problem=iris"
    assert by_kind["alert began"].words == "Alert began: feature 3 has drifted"
    assert by_kind["alert began"].url == "/?problem=iris#alerts"
    corrections = [(each.words, each.short) for each in found if each.kind == "corrections"]
    assert corrections == [("2 corrections came", "2"), ("1 correction came", "1")]
    assert by_kind["quarantined"].words == "1 correction put into quarantine"


def test_of_many_events_the_newest_stay_and_the_older_ones_are_counted() -> None:
    found = events_of(everything(), named_window("15m", NOW), most=3)
    assert ([each.kind for each in found.found], found.earlier) == (["refused", "corrections", "drift ended"], 9)
    assert events_of(everything(), named_window("15m", NOW + timedelta(hours=1))) == Events()


def drawn(steps: list[AccuracyStep], events: Events, alerts: list[Alert]) -> Strip:
    window = named_window("15m", NOW)
    buckets = [Bucket(window.since, window.since + window.step, 40, 2, 40, 38)]
    return Strip(StripContent("iris", window, [], buckets, steps, events, alerts, has_traffic=True))


def test_places_are_shares_of_the_width_and_the_scale_begins_below_all_intervals() -> None:
    window: Window = named_window("15m", NOW)
    step = AccuracyStep(window.since, window.since + window.step, 40, 38, Estimate(0.95, 0.8, 0.98))
    strip = drawn([step], events_of(everything(), window), list(everything().alerts))
    assert strip.floor == 0.75
    [band], [line], [bar] = strip.bands, strip.lines, strip.bars()
    assert (band.x, bar.x, bar.width) == (0, 0, band.width)
    assert band.width == pytest.approx(100 / 90, abs=1e-3)
    assert band.y < line.y < band.y + band.height < strip.accuracy_height
    [hover] = strip.hovers()
    assert hover.words == "40 predictions, 2 outliers, accuracy 95.0 % (80.0–98.0) of 40 ground truths"
    lanes = strip.lanes()
    assert {lane: Counter(mark.kind for mark in marks) for lane, marks in lanes.items()} == {
        "Versions": {"served": 1, "promoted": 1, "rolled-back": 1, "refused": 2},
        "Corrections": {"corrections": 2, "quarantined": 1},
    }
    assert [mark.short for mark in lanes["Corrections"]] == ["", "1", "1"]  # two at one place would cover each other
    stretches = [(each.kind, each.open) for each in strip.stretches()]
    assert stretches == [("drift", False), ("drift", True), ("alert", False)]
    assert len(strip.changes()) == 3
    assert all(0 <= tick.x <= 100 for tick in strip.ticks())
    assert 3 <= len(strip.ticks()) <= 7


def test_without_ground_truth_the_strip_says_how_many_are_missing() -> None:
    strip = drawn([], Events(), [])
    assert (strip.lines, strip.labels, strip.least) == ([], 40, 20)
    assert "not enough ground truths for an accuracy" in strip.description()
    assert strip.lanes() == {}


def test_a_store_without_predictions_has_a_timeline_with_what_came_before_them(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/lab.db")) as store:
        today = datetime.now(UTC).date()
        chosen = Selection(problem="iris", since=today, until=today, span="auto")
        empty = timeline_of(View(backends_of(store), chosen))
        assert (empty.window.name, empty.has_traffic, empty.events.found) == ("15m", False, [])
        store.suggestions.add(suggestion("s"))
        [event] = timeline_of(View(backends_of(store), chosen)).events.found
        assert isinstance(event, TimelineEvent)
        assert event.kind == "corrections"
        store.predictions.write([prediction("a", SETOSA, at=datetime.now(UTC))])
        store.champions.note(MODEL, 1)
        kinds = [each.kind for each in timeline_of(View(backends_of(store), chosen)).events.found]
        assert sorted(kinds) == ["corrections", "served"]
