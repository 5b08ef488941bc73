"""Many answers at once are the same as one by one, whatever the size of the pages that they are read in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import pytest

from common.store import Store
from common.store.monitoring import window_rows as answers
from common.store.monitoring.window_rows import WindowRow
from common.store.predictions import PredictionRow
from tests.common.store.rows import CLASSES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow

END = NOON + timedelta(hours=1)
NAMES = WindowRow.__annotations__


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PAGE_ROWS", 7)


def read(store: Store, since: datetime = NOON, until: datetime = END, limit: int = 1000) -> Iterator[WindowRow]:
    return store.window_rows.between("iris", since, until, limit)


def as_answer(row: PredictionRow) -> dict[str, object]:
    return {name: value for name, value in row.items() if name in NAMES}


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 14, 40])
@pytest.mark.parametrize("at_one_moment", [1, 3, 100])
def test_all_rows_come_once_newest_first_however_many_have_one_moment(
    store: Store, count: int, at_one_moment: int
) -> None:
    rows: list[PredictionRow] = [
        prediction(f"{number:03}", at=NOON + timedelta(microseconds=number // at_one_moment))
        | {"features": {"number": float(number)}}
        for number in range(count)
    ]
    store.predictions.write(rows)
    assert [answer["features"]["number"] for answer in read(store)] == list(range(count))[::-1]


def test_an_answer_is_what_was_written(store: Store) -> None:
    rows: list[PredictionRow] = [
        prediction("a", CLASSES[1], version=3, at=NOON + timedelta(seconds=1))
        | {"features": {"x": 0.1 + 0.2, "count": 7, "Agency": 'Größe "9"\\'}, "is_outlier": True},
        prediction("b") | {"confidence": None, "is_outlier": None},
    ]
    store.predictions.write(rows)
    assert list(read(store)) == [as_answer(row) for row in rows]
    assert next(read(store))["model_name"] == MODEL


def test_only_the_champions_answers_of_the_problem_and_the_time_are_read(store: Store) -> None:
    store.predictions.write([prediction("before", at=NOON - timedelta(microseconds=1)), prediction("first")])
    store.predictions.write([prediction("after", at=END), prediction("other", problem="other"), shadow("first")])
    assert list(read(store)) == [as_answer(prediction("first"))]


def test_of_more_rows_than_are_wanted_the_newest_come(store: Store) -> None:
    for number in range(20):
        store.predictions.write([prediction(f"{number:02}", version=number, at=NOON + timedelta(seconds=number))])
    for limit in (1, 7, 10, 14, 20, 21):
        assert [answer["model_version"] for answer in read(store, limit=limit)] == list(range(20))[::-1][:limit]


def test_labels_are_those_of_the_champions_answers_of_one_version_and_time_as_they_are_known_now(store: Store) -> None:
    minute = timedelta(minutes=1)
    rows = [
        *(prediction(f"in {number}", at=NOON + number * minute) for number in range(4)),
        prediction("before", at=NOON - minute),
        prediction("after", at=NOON + 4 * minute),
        prediction("other version", at=NOON, version=2),
        prediction("other problem", at=NOON, problem="other"),
        prediction("asked by its version", at=NOON, role="shadow"),
    ]
    store.predictions.write([*rows, shadow("in 0", VERSICOLOR, version=1), prediction("unknown", at=NOON)])
    for row in rows:
        store.feedback.give(row["id"], SETOSA)
    store.feedback.give("in 3", VERSICOLOR, replace=True)
    labels = store.window_rows.labels("iris", 1, NOON, NOON + 4 * minute)
    assert labels == {(SETOSA, SETOSA): 3, (VERSICOLOR, SETOSA): 1}


def test_moments_may_be_told_in_another_time_zone(store: Store) -> None:
    elsewhere = timezone(timedelta(hours=-7))
    store.predictions.write([prediction(f"{number}") for number in range(10)])
    assert len(list(read(store, NOON.astimezone(elsewhere), END.astimezone(elsewhere)))) == 10
    assert list(read(store, datetime(2026, 3, 1, 13, tzinfo=UTC), END)) == []


def test_what_is_written_meanwhile_with_a_later_moment_disturbs_nothing(store: Store) -> None:
    store.predictions.write([prediction(f"{number:02}", version=number) for number in range(20)])
    reading = read(store)
    found = [answer["model_version"] for answer in islice(reading, 3)]
    store.predictions.write([prediction("late", version=99, at=NOON + timedelta(seconds=1))])
    assert [*found, *(answer["model_version"] for answer in reading)] == list(range(20))[::-1]
