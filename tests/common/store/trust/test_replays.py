"""Replays read each row of the log once, in order, in chunks; and only one is open at a time."""

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from common.store import Store
from common.store.trust import replays
from common.store.trust.replays import KEPT, LoggedAnswer, ReplayBusyError, ReplaySpan
from tests.common.store.rows import NOON, SETOSA, VERSICOLOR, prediction, shadow

if TYPE_CHECKING:
    from common.store.predictions import PredictionRow

END = NOON + timedelta(hours=1)
SPAN = ReplaySpan("iris", NOON, END)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "CHUNK_ROWS", 7)
    monkeypatch.setattr(replays, "IDS_AT_ONCE", 3)


def ids(store: Store, most: int | None = None, *, newest_first: bool = False) -> list[str]:
    return [row.id for chunk in store.trust.replays.chunks(SPAN, most, newest_first=newest_first) for row in chunk]


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 40])
@pytest.mark.parametrize("at_one_moment", [1, 3, 100])
def test_all_rows_come_once_in_order_however_many_have_one_moment(store: Store, count: int, at_one_moment: int) -> None:
    rows: list[PredictionRow] = [
        prediction(f"{number:03}", at=NOON + timedelta(microseconds=number // at_one_moment)) for number in range(count)
    ]
    store.predictions.write(rows[::-1])
    names = [row["id"] for row in rows]
    assert ids(store) == names
    assert ids(store, newest_first=True) == names[::-1]
    assert store.trust.replays.count(SPAN) == count


@pytest.mark.parametrize("most", [0, 1, 6, 7, 8, 20, 21])
def test_no_more_rows_than_asked_are_read_and_they_are_the_newest_ones(store: Store, most: int) -> None:
    store.predictions.write([prediction(f"{number:03}", at=NOON + timedelta(seconds=number)) for number in range(20)])
    newest = [f"{number:03}" for number in range(20)][::-1][:most]
    assert ids(store, most, newest_first=True) == newest
    assert store.trust.replays.count(SPAN, most) == min(most, 20)


def test_chunks_are_no_larger_than_they_may_be(store: Store) -> None:
    store.predictions.write([prediction(f"{number:03}") for number in range(20)])
    assert [len(chunk) for chunk in store.trust.replays.chunks(SPAN)] == [7, 7, 6]


def test_a_row_comes_as_it_was_written_with_its_ground_truth(store: Store) -> None:
    features: dict[str, float | str] = {"x": 0.1 + 0.2, "count": 7, "Agency": 'Größe "9"\\'}
    store.predictions.write([prediction("a", VERSICOLOR, version=3) | {"features": features, "confidence": None}])
    store.feedback.give("a", SETOSA)
    [[found]] = store.trust.replays.chunks(SPAN)
    assert found == LoggedAnswer("a", NOON, features, 3, VERSICOLOR, None, SETOSA)
    assert store.trust.replays.answers(["a", "b"]) == {"a": found}


def test_only_the_champions_rows_of_the_problem_and_the_time_are_read(store: Store) -> None:
    store.predictions.write([prediction("before", at=NOON - timedelta(microseconds=1)), prediction("first")])
    store.predictions.write([prediction("after", at=END), prediction("other", problem="other"), shadow("first")])
    assert ids(store) == ["first"]
    assert store.trust.replays.count(SPAN) == 1
    assert store.trust.replays.answers(["first"])["first"].version == 1


def test_untrusted_ground_truths_do_not_count_where_a_key_is_set(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b")])
    store.feedback.give("a", SETOSA)
    store.feedback.give("b", SETOSA, trusted=True)
    [chunk] = store.trust.replays.chunks(SPAN, trusted_only=True)
    assert [row.truth for row in chunk] == [None, SETOSA]
    found = store.trust.replays.answers(["a", "b"], trusted_only=True)
    assert (found["a"].truth, found["b"].truth) == (None, SETOSA)


def test_many_rows_are_found_by_their_ids(store: Store) -> None:
    store.predictions.write([prediction(f"{number:03}") for number in range(20)])
    names = [f"{number:03}" for number in range(0, 40, 2)]
    assert sorted(store.trust.replays.answers(names)) == names[:10]


def test_a_replay_is_open_until_it_has_a_result(store: Store) -> None:
    part = store.trust.replays
    assert (part.open(), part.newest("iris")) == (None, None)
    before = datetime.now(UTC)
    name = part.request(4, SPAN)
    asked = part.open()
    assert asked
    assert (asked.id, asked.version, asked.span, asked.done) == (name, 4, SPAN, 0)
    assert before <= asked.requested_at <= datetime.now(UTC)
    assert (asked.started_at, asked.summary, asked.error) == (None, None, None)
    part.start(name)
    part.progress(name, 500)
    running = part.newest("iris")
    assert running
    assert running.started_at
    assert running.done == 500
    part.finish(name, {"rows": 700}, 700)
    ended = part.get(name)
    assert ended
    assert (ended.summary, ended.error, ended.done) == ({"rows": 700}, None, 700)
    assert ended.finished_at
    assert (part.open(), part.newest("iris"), part.newest("other")) == (None, ended, None)


def test_a_failed_replay_has_a_reason_and_no_result(store: Store) -> None:
    name = store.trust.replays.request(4, SPAN)
    store.trust.replays.fail(name, "MLflow is away")
    found = store.trust.replays.get(name)
    assert found
    assert (found.summary, found.error) == (None, "MLflow is away")
    assert store.trust.replays.open() is None


def test_a_replay_that_has_ended_stays_as_it_is(store: Store) -> None:
    part = store.trust.replays
    name = part.request(4, SPAN)
    part.finish(name, {"rows": 1}, 1)
    before = part.get(name)
    part.start(name)
    part.progress(name, 9)
    part.finish(name, {"rows": 2}, 2)
    part.fail(name, "too late")
    assert part.get(name) == before


def test_a_replay_that_is_begun_again_counts_from_its_first_row(store: Store) -> None:
    part = store.trust.replays
    name = part.request(4, SPAN)
    part.start(name)
    part.progress(name, 500)
    part.start(name)
    found = part.open()
    assert found
    assert found.done == 0


def test_only_one_replay_is_open_at_a_time(store: Store) -> None:
    store.trust.replays.request(4, SPAN)
    with pytest.raises(ReplayBusyError, match="another replay is still running"):
        store.trust.replays.request(5, ReplaySpan("breast_cancer", NOON, END))


def test_of_many_who_ask_at_once_one_starts_a_replay(store: Store) -> None:
    started: list[str] = []
    busy: list[ReplayBusyError] = []

    def ask(version: int) -> None:
        try:
            started.append(store.trust.replays.request(version, SPAN))
        except ReplayBusyError as error:
            busy.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 9)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (len(started), len(busy)) == (1, 7)


def test_a_problem_keeps_its_newest_replays(store: Store) -> None:
    part = store.trust.replays
    other = part.request(1, ReplaySpan("breast_cancer", NOON, END))
    part.fail(other, "no")
    names = []
    for version in range(1, KEPT + 4):
        names.append(part.request(version, SPAN))
        part.fail(names[-1], "no")
    kept = [name for name in names if part.get(name)]
    assert kept == names[-KEPT:]
    assert part.get(other)
