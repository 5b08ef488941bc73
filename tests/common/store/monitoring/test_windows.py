"""The store keeps one window for each problem and end."""

from dataclasses import replace
from datetime import UTC, timedelta, timezone

from common.store import Store
from common.store.monitoring.windows import WindowRecord
from tests.common.store.rows import MODEL, NOON

MINUTE = timedelta(minutes=1)


def window(minutes: float, problem: str = "iris", rows: int = 7) -> WindowRecord:
    ended_at = NOON + minutes * MINUTE
    evaluation = {"rows": rows, "subjects": {"x": {"mean": 0.1 + 0.2, "verdict": None}}}
    return WindowRecord(problem, MODEL, 3, ended_at - 5 * MINUTE, ended_at, rows, 1, evaluation)


def all_of(store: Store, problem: str = "iris", limit: int = 100) -> list[WindowRecord]:
    return store.windows.between(problem, NOON, NOON + timedelta(days=1), limit)


def test_a_window_is_read_as_it_was_written(store: Store) -> None:
    written = [window(1), replace(window(2), model_version=None, rows=0, outliers=0, evaluation={})]
    for each in written:
        store.windows.write(each)
    assert all_of(store) == written
    assert store.windows.newest("iris") == written[1]


def test_a_window_that_is_written_again_replaces_the_first(store: Store) -> None:
    store.windows.write(window(1, rows=7))
    store.windows.write(window(2, rows=7))
    store.windows.write(window(1, rows=8))
    assert [each.rows for each in all_of(store)] == [8, 7]


def test_a_moment_in_another_time_zone_is_the_same_window(store: Store) -> None:
    first = window(1)
    store.windows.write(first)
    elsewhere = replace(first, rows=9, ended_at=first.ended_at.astimezone(timezone(timedelta(hours=5))))
    store.windows.write(elsewhere)
    [found] = all_of(store)
    assert (found.rows, found.ended_at, found.ended_at.tzinfo) == (9, first.ended_at, UTC)


def test_the_newest_window_of_a_problem_is_the_one_that_ended_last(store: Store) -> None:
    assert store.windows.newest("iris") is None
    for minutes in (1, 3, 2):
        store.windows.write(window(minutes))
    store.windows.write(window(9, problem="other"))
    newest = store.windows.newest("iris")
    assert newest
    assert newest.ended_at == NOON + 3 * MINUTE


def test_a_time_has_the_newest_windows_that_ended_there_oldest_first(store: Store) -> None:
    for minutes in range(6):
        store.windows.write(window(minutes))
    store.windows.write(window(3, problem="other"))
    found = store.windows.between("iris", NOON + MINUTE, NOON + 5 * MINUTE, 3)
    assert [each.ended_at for each in found] == [NOON + minutes * MINUTE for minutes in (2, 3, 4)]


def test_the_newest_of_some_versions_are_found_behind_any_number_of_others(store: Store) -> None:
    for minutes, version in enumerate((1, 2, 3, 4, 4, 4)):
        store.windows.write(replace(window(minutes), model_version=version))
    store.windows.write(replace(window(9), model_version=None))
    found = store.windows.between("iris", NOON, NOON + timedelta(days=1), 2, versions=[1, 2, 3])
    assert [each.model_version for each in found] == [2, 3]
