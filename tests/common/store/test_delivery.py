"""The retry queue: pauses double up to a limit, and a clock that somebody sets back delays nothing."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from common.store import Store
from common.store.delivery import NEVER, pause
from common.store.suggestions import MAX_PAUSE
from tests.common.store.rows import NOON, suggestion

FIRST, LONGEST = timedelta(seconds=2), timedelta(minutes=5)


def test_pauses_double_up_to_the_longest_and_are_spread() -> None:
    rng = random.Random(7)  # noqa: S311  # no secret
    for attempts in (*range(20), 10_000):
        pauses = {pause(attempts, FIRST, LONGEST, rng) for _ in range(50)}
        longest = min(FIRST * 2 ** min(attempts, 20), LONGEST)
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
        assert max(pauses) > min(pauses) * 1.5


def test_a_failed_attempt_is_counted_and_due_again_at_its_time_and_a_delivery_clears_the_error(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    later = datetime.now(UTC) + MAX_PAUSE
    for error in ("Prefect is down", "Prefect is still down"):
        store.suggestions.delivery_failed("a", error, later)
    assert store.suggestions.due("iris", later - timedelta(seconds=1), 10) == []
    [again] = store.suggestions.due("iris", later, 10)
    assert (again.attempts, again.last_error) == (2, "Prefect is still down")
    store.suggestions.delivered("a", "run")
    found = store.suggestions.get("a")
    assert found
    assert (found.flow_run_id, found.last_error) == ("run", None)


@pytest.mark.parametrize("back", [timedelta(days=1), timedelta(minutes=5, seconds=1)])
def test_nothing_waits_for_a_clock_that_somebody_sets_back(store: Store, back: timedelta) -> None:
    now = datetime.now(UTC)
    for name in ("new", "failed"):
        store.suggestions.add(suggestion(name))
    store.suggestions.delivery_failed("failed", "Prefect is down", now + MAX_PAUSE)
    assert {each.id for each in store.suggestions.due("iris", now - back, 10)} == {"new", "failed"}
    store.alerts.settle("iris", {"drift"}, {("drift", "x"): "x has drifted"}, NOON)
    assert len(store.alerts.due(NOON - back, 10)) == 1


def test_an_alert_is_tried_again_until_it_is_given_up(store: Store) -> None:
    [alert] = store.alerts.settle("iris", {"drift"}, {("drift", "x"): "x has drifted"}, NOON).began
    later = NOON + timedelta(minutes=5)
    for error in ("it answers 500", "it answers 502"):
        store.alerts.delivery_failed(alert.id, error, later)
    assert store.alerts.due(later - timedelta(seconds=1), 10) == []
    [again] = store.alerts.due(later, 10)
    assert (again.attempts, again.last_error, again.posted_at, again.ended_at) == (2, "it answers 502", None, None)
    store.alerts.delivery_failed(alert.id, "it answers 500", NEVER)
    assert store.alerts.due(NOON, 10) == store.alerts.due(NOON + timedelta(days=999), 10) == []
