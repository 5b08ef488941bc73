"""Alerts are episodes: each begins once, ends once, and is posted once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from common.store import Store
from common.store.monitoring.alerts import Alert, Changed
from tests.common.store.rows import NOON

MINUTE = timedelta(minutes=1)
KINDS = {"outliers", "drift"}
OUTLIERS, DRIFT_X, DRIFT_Y = ("outliers", ""), ("drift", "x"), ("drift", "y")


def settle(store: Store, minutes: float, *found: tuple[str, str], problem: str = "iris", says: str = "bad") -> Changed:
    return store.alerts.settle(problem, KINDS, dict.fromkeys(found, says), NOON + minutes * MINUTE)


def names(alerts: list[Alert]) -> set[tuple[str, str]]:
    return {(alert.kind, alert.subject) for alert in alerts}


def due(store: Store, minutes: float, limit: int = 100) -> list[Alert]:
    return store.alerts.due(NOON + minutes * MINUTE, limit)


def everything(store: Store, problem: str = "iris") -> list[Alert]:
    return store.alerts.between(problem, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), 100)


def test_a_found_breach_begins_an_alert(store: Store) -> None:
    changed = settle(store, 0, OUTLIERS, DRIFT_X)
    assert (names(changed.began), changed.ended) == ({OUTLIERS, DRIFT_X}, [])
    assert changed.began == store.alerts.open("iris")
    [first, _] = changed.began
    assert (first.began_at, first.seen_at, first.ended_at) == (NOON, NOON, None)
    assert (first.posted_at, first.attempts, first.last_error) == (None, 0, None)


def test_a_breach_that_is_found_again_is_the_same_episode_with_its_newest_message(store: Store) -> None:
    [began] = settle(store, 0, OUTLIERS).began
    assert settle(store, 1, OUTLIERS, says="worse") == Changed([], [])
    [alert] = store.alerts.open()
    assert (alert.id, alert.message, alert.began_at, alert.seen_at) == (began.id, "worse", NOON, NOON + MINUTE)


def test_a_breach_that_is_not_found_any_more_ends_with_its_last_message(store: Store) -> None:
    settle(store, 0, OUTLIERS, DRIFT_X)
    settle(store, 1, OUTLIERS, DRIFT_X, says="worse")
    changed = settle(store, 2, DRIFT_X)
    assert (changed.began, names(changed.ended)) == ([], {OUTLIERS})
    [ended] = changed.ended
    assert (ended.ended_at, ended.seen_at, ended.message) == (NOON + 2 * MINUTE, NOON + MINUTE, "worse")
    assert names(store.alerts.open()) == {DRIFT_X}


def test_a_breach_that_comes_back_is_a_new_episode(store: Store) -> None:
    for minutes, found in enumerate([(OUTLIERS,), (), (OUTLIERS,)]):
        settle(store, minutes, *found)
    newest, first = everything(store)
    assert (first.ended_at, newest.ended_at) == (NOON + MINUTE, None)
    assert newest.began_at == NOON + 2 * MINUTE
    assert store.alerts.counts() == {("iris", "outliers"): 2}


def test_kinds_that_were_not_looked_for_and_other_problems_stay_as_they_are(store: Store) -> None:
    settle(store, 0, OUTLIERS, DRIFT_X)
    settle(store, 0, OUTLIERS, problem="other")
    settle(store, 0, OUTLIERS, problem="")
    store.alerts.settle("iris", {"drift"}, {}, NOON + MINUTE)
    assert [(alert.problem, alert.kind) for alert in store.alerts.open()] == [
        ("iris", "outliers"), ("other", "outliers"), ("", "outliers")
    ]  # fmt: skip
    assert names(store.alerts.open("")) == {OUTLIERS}


def test_many_threads_that_find_the_same_breach_begin_one_episode(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        changes = list(pool.map(lambda _: settle(store, 0, OUTLIERS, DRIFT_X, DRIFT_Y), range(24)))
    assert sorted(len(changed.began) for changed in changes) == [0] * 23 + [3]
    assert len(store.alerts.open()) == 3


@pytest.mark.parametrize(
    ("since", "until", "there"),
    [(-2, 0, False), (-2, 0.1, True), (1, 1.5, True), (3, 9, True), (3.1, 9, False)],
)
def test_an_episode_is_shown_for_the_times_at_which_it_was_open(
    store: Store, since: float, until: float, *, there: bool
) -> None:
    settle(store, 0, OUTLIERS)
    settle(store, 3)
    found = store.alerts.between("iris", NOON + since * MINUTE, NOON + until * MINUTE, 9)
    assert bool(found) is there


def test_an_open_episode_is_shown_from_its_beginning_on_and_the_newest_come_first(store: Store) -> None:
    settle(store, 0, OUTLIERS)
    settle(store, 5, OUTLIERS, DRIFT_X)
    found = store.alerts.between("iris", NOON + 60 * MINUTE, NOON + 61 * MINUTE, 9)
    assert [(alert.kind, alert.subject) for alert in found] == [DRIFT_X, OUTLIERS]
    assert len(store.alerts.between("iris", NOON, NOON + 61 * MINUTE, 1)) == 1
    assert store.alerts.between("iris", NOON - 60 * MINUTE, NOON, 9) == []


def test_episodes_are_due_from_their_beginning_until_they_are_posted_even_if_they_are_over(store: Store) -> None:
    settle(store, 1, OUTLIERS, DRIFT_X)
    settle(store, 2)
    assert due(store, 0.9) == []
    assert names(due(store, 3)) == {OUTLIERS, DRIFT_X}
    [first] = due(store, 3, limit=1)
    store.alerts.delivered(first.id, NOON + 3 * MINUTE)
    assert names(due(store, 9)) == {OUTLIERS, DRIFT_X} - names([first])
    [posted] = [alert for alert in everything(store) if alert.id == first.id]
    assert (posted.posted_at, posted.last_error) == (NOON + 3 * MINUTE, None)


def test_no_episodes_are_nothing_to_count_or_to_post(store: Store) -> None:
    assert settle(store, 0) == Changed([], [])
    assert (store.alerts.open(), store.alerts.counts(), due(store, 9)) == ([], {}, [])
