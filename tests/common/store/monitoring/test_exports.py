"""Exports: every row is in one of them, and in no more, whoever claims at once or is killed."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from common.store import Store, StoreError
from common.store.monitoring import exports as module
from common.store.monitoring.exporter_lock import exporter_lock
from common.store.monitoring.exports import Export
from common.store.tables import predictions
from tests.common.store.rows import MODEL, NOON, SETOSA, prediction, shadow

LATER = NOON + timedelta(days=30)
DAY = timedelta(days=1)


def claim_all(store: Store, limit: int) -> list[Export]:
    found = []
    while export := store.exports.claim(limit, LATER):
        found.append(export)
    return found


def ids(store: Store, export: Export) -> list[tuple[str, str]]:
    return [(each["id"], each["role"]) for each in store.exports.rows(export)]


@pytest.fixture(autouse=True)
def small_bites(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    return iter([None])


def test_nothing_is_claimed_where_nothing_waits(store: Store) -> None:
    assert store.exports.claim(10, LATER) is None
    assert store.exports.unfinished() == []
    assert store.exports.waiting() == {}


def test_an_export_has_the_oldest_rows_of_a_problem_model_and_day_in_all_roles(store: Store) -> None:
    store.predictions.write(
        [
            prediction("late", at=NOON + timedelta(hours=2)),
            prediction("early", at=NOON - timedelta(hours=2)),
            prediction("noon"),
            shadow("noon"),
            prediction("yesterday", at=NOON - DAY),
            prediction("wine", problem="wine", at=NOON - 2 * DAY),
            prediction("model") | {"model_name": "OtherModel"},
        ]
    )
    found = claim_all(store, 3)
    assert [(each.problem, each.model_name, each.day.day, each.rows) for each in found] == [
        ("iris", MODEL, 28, 1),
        ("iris", MODEL, 1, 3),
        *sorted([("iris", "OtherModel", 1, 1), ("iris", MODEL, 1, 1)], key=lambda each: each[1] == MODEL),
        ("wine", MODEL, 27, 1),
    ]
    assert ids(store, found[1]) == [("early", "champion"), ("noon", "champion"), ("noon", "shadow")]
    assert store.exports.claim(3, LATER) is None


def test_a_day_ends_at_midnight_in_utc(store: Store) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    moments = {"last": midnight - timedelta(microseconds=1), "first": midnight}
    store.predictions.write([prediction(name, at=at) for name, at in moments.items()])
    assert [(each.day, ids(store, each)) for each in claim_all(store, 10)] == [
        (date(2026, 3, 1), [("last", "champion")]),
        (date(2026, 3, 2), [("first", "champion")]),
    ]


def test_rows_from_a_moment_on_are_left_for_the_next_time(store: Store) -> None:
    store.predictions.write([prediction("before", at=NOON - DAY / 4), prediction("at", at=NOON)])
    export = store.exports.claim(10, NOON)
    assert export
    assert ids(store, export) == [("before", "champion")]
    assert store.exports.claim(10, NOON) is None
    assert store.exports.waiting() == {"iris": 2}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
def test_an_export_has_as_many_rows_as_it_says_and_none_too_many(store: Store, limit: int) -> None:
    store.predictions.write([prediction(str(number)) for number in range(5)])
    found = claim_all(store, limit)
    assert [each.rows for each in found] == [len(ids(store, each)) for each in found]
    assert max(each.rows for each in found) == min(limit, 5)
    assert sorted(key for each in found for key in ids(store, each)) == [(str(n), "champion") for n in range(5)]


def test_an_unfinished_export_is_found_again_with_the_same_rows(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b")])
    export = store.exports.claim(10, LATER)
    assert export
    store.predictions.write([prediction("c")])
    assert store.exports.unfinished() == [export]
    assert ids(store, export) == [("a", "champion"), ("b", "champion")]


def test_rows_come_as_they_were_written(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b")])
    export = store.exports.claim(10, LATER)
    assert export
    assert store.exports.rows(export) == [prediction("a"), prediction("b")]


def test_a_finished_export_is_over_and_its_rows_tell_when(store: Store) -> None:
    store.predictions.write([prediction("a"), shadow("a"), prediction("b")])
    export = store.exports.claim(2, LATER)
    assert export
    assert [found.exported_at for found in store.predictions.get("a")] == [None, None]
    before = datetime.now(UTC)
    store.exports.finish(export, "run")
    assert store.exports.unfinished() == []
    for found in store.predictions.get("a"):
        assert found.exported_at
        assert before <= found.exported_at <= datetime.now(UTC)
    assert store.predictions.get("b")[0].exported_at is None


def test_rows_wait_until_their_export_is_finished(store: Store) -> None:
    store.predictions.write([prediction("a"), shadow("a"), prediction("b"), prediction("w", problem="wine")])
    assert store.exports.waiting() == {"iris": 3, "wine": 1}
    export = store.exports.claim(2, LATER)
    assert export
    assert store.exports.waiting() == {"iris": 3, "wine": 1}
    store.exports.finish(export, "run")
    assert store.exports.waiting() == {"iris": 1, "wine": 1}
    for other in claim_all(store, 10):
        store.exports.finish(other, "run")
    assert store.exports.waiting() == {}


def test_an_interrupted_claim_leaves_an_export_with_fewer_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    store.predictions.write([prediction(str(number)) for number in range(5)])
    with monkeypatch.context() as patch:
        patch.setattr("common.store.monitoring.exports.time.sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.exports.claim(5, LATER)
    [export] = store.exports.unfinished()
    assert (export.rows, len(ids(store, export))) == (2, 2)
    assert [each.rows for each in claim_all(store, 5)] == [3]


def test_many_that_claim_at_once_never_have_the_same_row(url: str, store: Store) -> None:
    store.predictions.write([prediction(str(number)) for number in range(200)])
    claimed: list[Export] = []

    def claim() -> None:
        with closing(Store(url)) as own:
            claimed.extend(claim_all(own, 7))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = Counter(key for each in claimed for key in ids(store, each))
    assert set(counts.values()) == {1}
    assert len(counts) == sum(each.rows for each in claimed) == 200


def test_a_claim_lets_truths_in_between(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.predictions.write([prediction(str(number)) for number in range(6)])
    told = iter(range(6))

    def tell(_: float) -> None:
        with closing(Store(url)) as other:
            other.feedback.give(str(next(told)), SETOSA)

    monkeypatch.setattr("common.store.monitoring.exports.time.sleep", tell)
    export = store.exports.claim(6, LATER)
    assert export
    assert next(told) == 2


def test_one_at_a_time_may_export(url: str, store: Store) -> None:
    assert store
    with exporter_lock(url) as first, exporter_lock(url) as second:
        assert (first, second) == (True, False)
    with exporter_lock(url) as again:
        assert again


def test_a_place_that_cannot_be_had_is_a_store_that_does_not_answer(postgres_url: str, sqlite_url: str) -> None:
    away = sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    for url in (away, f"{sqlite_url}/nowhere"):
        with pytest.raises(StoreError, match="cannot be locked"), exporter_lock(url):
            pass


def test_what_waits_and_what_an_export_has_is_found_by_index(sqlite_store: Store) -> None:
    queries = {
        "ix_predictions_unexported": sa.select(predictions.c.problem)
        .where(predictions.c.export_id.is_(None), predictions.c.predicted_at < LATER)
        .order_by(predictions.c.problem, predictions.c.predicted_at),
        "ix_predictions_in_export": sa.select(predictions).where(predictions.c.export_id == 1),
    }
    for index, query in queries.items():
        plain = str(
            query.compile(dialect=sa.create_engine("sqlite://").dialect, compile_kwargs={"literal_binds": True})
        )
        with sqlite_store._database._engine.connect().execution_options(reads=True) as connection:
            plan = " ".join(str(row.detail) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {plain}"))
        assert index in plan
        assert "TEMP B-TREE" not in plan
