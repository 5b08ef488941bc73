"""Predictions are kept as they were given, once, and counted once."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from common.store import Store
from common.store.database import BadRowError
from common.store.predictions import ROWS_AT_ONCE, PredictionRow, insert_new
from common.store.tables import prediction_counts
from tests.common.refusals import refused
from tests.common.store.recount import assert_counted
from tests.common.store.rows import MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow, suggestion

WITHOUT: PredictionRow = prediction("a") | {
    "probabilities": None,
    "confidence": None,
    "is_outlier": None,
    "outlier_score": None,
}
EXACT: PredictionRow = prediction("a") | {
    "features": {"x": 0.1 + 0.2, "y": -1e-300},
    "probabilities": {SETOSA: 1 / 3},
    "confidence": 1 / 3,
    "outlier_score": -1e-17,
}
JUST_BEFORE_MIDNIGHT = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)


def rows_of(store: Store, prediction_id: str) -> list[PredictionRow]:
    return [found.row for found in store.predictions.get(prediction_id)]


def days(store: Store) -> list[str]:
    return sorted(str(row["day"]) for row in store._database.read(sa.select(prediction_counts.c.day)))


def counted(store: Store) -> tuple[int, int]:
    """The numbers of predictions and of outliers, by the roll-ups."""
    live = store.statistics.live("iris", MODEL)
    return sum(each.predictions for each in live), sum(each.outliers for each in live)


@pytest.mark.parametrize("given", [prediction("a"), WITHOUT, EXACT])
def test_a_prediction_is_read_as_it_was_written(store: Store, given: PredictionRow) -> None:
    store.predictions.write([given, prediction("b", VERSICOLOR)])
    [found] = store.predictions.get("a")
    assert found.row == given
    assert (found.truth, found.exported_at, found.trained_version) == (None, None, None)
    assert store.predictions.get("none") == []


def test_values_that_a_model_does_not_give_are_null_in_the_database_too(store: Store) -> None:
    store.predictions.write([WITHOUT])
    nothing = "probabilities IS NULL AND confidence IS NULL AND is_outlier IS NULL AND outlier_score IS NULL"
    with store._database.writing() as connection:
        assert connection.exec_driver_sql(f"SELECT id FROM predictions WHERE {nothing}").scalars().all() == ["a"]  # noqa: S608


def test_the_champion_comes_before_the_shadow(store: Store) -> None:
    rows = [shadow("a", VERSICOLOR), prediction("a")]
    store.predictions.write(rows)
    assert rows_of(store, "a") == [prediction("a"), shadow("a", VERSICOLOR)]


def test_times_of_any_zone_come_back_in_utc_and_count_for_the_utc_day(store: Store) -> None:
    rows = [
        prediction("before", at=JUST_BEFORE_MIDNIGHT),
        prediction("after", at=JUST_BEFORE_MIDNIGHT + timedelta(microseconds=1)),
        prediction("elsewhere", at=NOON.astimezone(timezone(timedelta(hours=5)))),
    ]
    store.predictions.write(rows)
    for row in rows:
        [found] = rows_of(store, row["id"])
        assert (found["predicted_at"], found["predicted_at"].tzinfo) == (row["predicted_at"], UTC)
    assert days(store) == ["2026-03-01", "2026-03-02"]
    for row in rows:
        store.feedback.give(row["id"], SETOSA)
    assert {key[4] for key in assert_counted(store).labels} == {row["predicted_at"].date() for row in rows}


def test_the_session_of_postgresql_is_in_another_time_zone(postgres_store: Store) -> None:
    with postgres_store._database.writing() as connection:
        assert connection.exec_driver_sql("SHOW timezone").scalar() != "UTC"
        offset = sa.select(sa.func.extract("timezone", sa.func.now()))
        assert abs(connection.execute(offset).scalar_one()) >= timedelta(hours=12).total_seconds()


def test_writing_again_changes_nothing_and_counts_nothing_twice(store: Store) -> None:
    rows: list[PredictionRow] = [prediction("a"), prediction("b") | {"is_outlier": True}, shadow("a")]
    store.predictions.write(rows)
    store.feedback.give("a", SETOSA)
    first = assert_counted(store)
    store.predictions.write(rows)
    store.predictions.write([*rows, *(row | {"class_name": VERSICOLOR} for row in rows)][:3])
    assert assert_counted(store) == first
    assert counted(store) == (3, 1)


def test_a_row_that_is_there_stays_as_it_is(store: Store) -> None:
    store.predictions.write([prediction("a")])
    store.predictions.write([prediction("a", VERSICOLOR), prediction("b", VERSICOLOR)])
    assert rows_of(store, "a") == [prediction("a")]
    assert rows_of(store, "b") == [prediction("b", VERSICOLOR)]
    assert counted(store) == (2, 0)
    assert_counted(store)


def test_the_plain_insert_does_the_same_as_the_fast_one(store: Store) -> None:
    store.predictions.insert_new = insert_new
    store.predictions.write([WITHOUT])
    store.predictions.write([prediction("a", VERSICOLOR), prediction("b", VERSICOLOR), shadow("b")])
    store.predictions.write([WITHOUT])
    assert [*rows_of(store, "a"), *rows_of(store, "b")] == [WITHOUT, prediction("b", VERSICOLOR), shadow("b")]
    assert counted(store) == (3, 0)
    assert_counted(store)


def test_a_batch_larger_than_one_statement_is_written_and_counted_whole(store: Store) -> None:
    many = 2 * ROWS_AT_ONCE + 1
    store.predictions.write([prediction(f"p{number}") for number in range(many)])
    assert counted(store) == (many, 0)
    assert_counted(store)


@pytest.mark.parametrize(
    "bad", [prediction("bad") | {"class_name": None}, prediction("bad") | {"features": None, "problem": None}]
)
def test_a_batch_with_a_row_that_cannot_be_kept_is_not_kept_at_all(store: Store, bad: PredictionRow) -> None:
    rows = [prediction(f"p{number}") for number in range(ROWS_AT_ONCE)]
    with refused(BadRowError, "cannot be written") as error:
        store.predictions.write([*rows, bad])
    assert "sepal_length" not in str(error.value)
    assert store.predictions.get("p0") == []
    assert counted(store) == (0, 0)
    store.predictions.write(rows)
    assert counted(store) == (ROWS_AT_ONCE, 0)


def test_no_rows_are_nothing_to_write(store: Store) -> None:
    store.predictions.write([])
    assert counted(store) == (0, 0)


def test_a_prediction_shows_its_ground_truth_and_the_version_that_learnt_from_it(store: Store) -> None:
    store.predictions.write([prediction("a", VERSICOLOR), shadow("a"), prediction("b")])
    store.correct(suggestion("s", prediction_id="a"))
    assert [(found.truth, found.trained_version) for found in store.predictions.get("a")] == [(SETOSA, None)] * 2
    store.suggestions.trained(["s"], 7)
    assert [(found.truth, found.trained_version) for found in store.predictions.get("a")] == [(SETOSA, 7)] * 2
    assert [(found.truth, found.trained_version) for found in store.predictions.get("b")] == [(None, None)]


def test_a_prediction_shows_the_first_version_that_learnt_from_it_and_no_refusal(store: Store) -> None:
    store.predictions.write([prediction("a", VERSICOLOR), prediction("b", VERSICOLOR)])
    for name, prediction_id in (("s", "a"), ("t", "a"), ("u", "a"), ("v", "b")):
        store.correct(suggestion(name, prediction_id=prediction_id))
    store.suggestions.trained(["s"], 8)
    store.suggestions.trained(["t"], 7)
    store.suggestions.refused(["v"], "accuracy 0.5 is below 0.9")
    found = [each for name in "ab" for each in store.predictions.get(name)]
    assert [(each.truth, each.trained_version) for each in found] == [(SETOSA, 7), (SETOSA, None)]


def test_postgresql_looks_predictions_up_by_the_index_before_it_has_statistics(postgres_store: Store) -> None:
    postgres_store.predictions.write([prediction(f"before {number}") for number in range(10_000)])
    plans: list[str] = []

    def explain(_: object, cursor: Any, statement: str, values: Any, *__: object) -> None:
        if "FROM predictions" in statement:
            cursor.execute(f"EXPLAIN {statement}", values)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    sa.event.listen(postgres_store._database._engine, "before_cursor_execute", explain)
    for _ in range(2):  # the second time, the store looks for the rows that are there
        postgres_store.predictions.write([prediction(f"now {number}") for number in range(100)])
    postgres_store.feedback.give("now 7", SETOSA)
    assert len(plans) == 2
    assert not [plan for plan in plans if "Seq Scan" in plan]
