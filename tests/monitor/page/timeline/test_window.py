"""The strip's time and the length of its buckets follow from what is asked for, and from what the store keeps."""

from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi import HTTPException

from common.store.timeline.tables import KEPT
from common.store.timeline.timeline import DAY
from monitor.page.query import PageQuery
from monitor.page.timeline.asked import asked_time
from monitor.page.timeline.window import MOST_BUCKETS, SPANS, given_window, named_window, shortest_span
from monitor.page.view import Selection

NOW = datetime(2026, 11, 28, 20, 57, 13, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "seconds", "source"),
    [
        ("15m", 10, 10),
        ("1h", 30, 10),
        ("24h", 900, 60),
        ("7d", 7_200, 3_600),
        ("30d", 21_600, 3_600),
        ("90d", DAY, DAY),
    ],
)
def test_a_span_ends_with_the_present_bucket_and_is_made_of_stored_ones(name: str, seconds: int, source: int) -> None:
    window = named_window(name, NOW)
    assert (window.width, window.source, window.name) == (seconds, source, name)
    assert window.until - timedelta(seconds=seconds) <= NOW < window.until
    assert window.until - window.since == SPANS[name]
    assert source == DAY or NOW - window.since <= KEPT[source]


@pytest.mark.parametrize("age", [0, 1, 3, 40, 50, 24 * 80, 24 * 100, 24 * 9_000], ids=lambda hours: f"{hours} h ago")
@pytest.mark.parametrize("hours", [0.1, 1, 30, 24 * 40, 24 * 8_000])
def test_a_given_time_is_covered_by_few_buckets_that_the_store_still_keeps(hours: float, age: float) -> None:
    until = NOW - age * HOUR
    since = until - hours * HOUR
    window = given_window(since, until, NOW)
    assert window.since <= since
    assert window.until >= until
    assert (window.until - window.since) / window.step <= MOST_BUCKETS + 1
    assert window.width % window.source == 0
    assert window.source == DAY or NOW - since <= KEPT[window.source]


def test_a_given_time_ends_with_the_present_bucket_at_most() -> None:
    window = given_window(NOW - HOUR, NOW + 24 * HOUR, NOW)
    assert NOW <= window.until <= NOW + timedelta(minutes=1)
    later = given_window(NOW + 24 * HOUR, NOW + 48 * HOUR, NOW)
    assert later.since <= NOW + 24 * HOUR < later.until


def test_moments_fall_into_the_bucket_that_they_are_in_and_others_into_its_nearest() -> None:
    window = named_window("15m", NOW)
    assert window.bucket(NOW) == window.until - window.step
    assert window.bucket(window.since + timedelta(seconds=19)) == window.since + window.step
    assert window.bucket(NOW - 5 * HOUR) == window.since
    assert (window.place(window.since), window.place(window.until), window.place(NOW + HOUR)) == (0, 1, 1)


def test_unasked_the_shortest_span_shows_all_that_there_is() -> None:
    ages = [timedelta(minutes=2), timedelta(minutes=16), timedelta(hours=2), timedelta(days=3), timedelta(days=400)]
    assert [shortest_span(age) for age in ages] == ["15m", "1h", "24h", "7d", "30d"]


def selected(**asked: str) -> Selection:
    return Selection(problem="iris", **asked_time(PageQuery.model_validate(asked), NOW))


def test_a_span_drives_the_tabs_by_days_and_by_moments() -> None:
    today = NOW.date()
    assert selected() == Selection(problem="iris", since=today - timedelta(days=29), until=today, span="auto")
    assert selected(span="7d") == Selection(problem="iris", since=today - timedelta(days=6), until=today, span="7d")
    hour = selected(span="1h")
    assert (hour.since, hour.until, hour.begins, hour.ends) == (today, today, NOW - HOUR, None)
    assert selected(span="24h").since == today - timedelta(days=1)


def test_given_moments_are_in_utc_unless_they_have_an_offset_and_their_last_minute_is_included() -> None:
    asked = selected(since="2026-11-28T02:15", until="2026-11-28T12:00+05:30", span="1h")
    assert (asked.begins, asked.ends) == (
        NOW.replace(2026, 11, 28, 2, 15, 0, 0),
        NOW.replace(2026, 11, 28, 6, 31, 0, 0),
    )
    assert (asked.since, asked.until, asked.span) == (date(2026, 11, 28), date(2026, 11, 28), "")
    mixed = selected(since="2026-11-01", until="2026-11-02T10:00")
    assert (mixed.since, mixed.begins, mixed.ends) == (date(2026, 11, 1), None, NOW.replace(2026, 11, 2, 10, 1, 0, 0))
    assert selected(until="2026-11-28").since == date(2026, 10, 30)


def test_a_begin_after_the_end_is_refused_and_says_which() -> None:
    with pytest.raises(HTTPException, match=r"the first moment, .* is after the last one"):
        selected(since="2026-11-28T10:15", until="2026-11-28T10:13")
