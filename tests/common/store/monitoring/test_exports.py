"""Every row is in exactly one export, even if several processes claim at once, or one is killed."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from common.store import Store, StoreError
from common.store.monitoring import exports as module
from common.store.monitoring.exports import Export
from common.store.process_lock import LOCK_NUMBERS, process_lock
from common.store.tables import predictions
from tests.common.store.rows import MODEL, NOON, SETOSA, prediction, shadow

LATER = NOON + timedelta(days=30)
DAY = timedelta(days=1)


def claim(store: Store, limit: int = 10, until: datetime = LATER) -> Export:
    export = store.exports.claim(limit, until)
    assert export
    return export


def claim_all(store: Store, limit: int) -> list[Export]:
    return list(iter(lambda: store.exports.claim(limit, LATER), None))


def ids(store: Store, export: Export) -> list[tuple[str, str]]:
    return [(each["id"], each["role"]) for each in store.exports.rows(export)]


@pytest.fixture(autouse=True)
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
    export = claim(store, until=NOON)
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
    rows = [prediction("a"), prediction("b")]
    store.predictions.write(rows)
    export = claim(store)
    store.predictions.write([prediction("c")])
    assert store.exports.unfinished() == [export]
    assert store.exports.rows(export) == rows


def test_rows_wait_until_their_export_is_finished_and_then_have_its_time(store: Store) -> None:
    store.predictions.write([prediction("a"), shadow("a"), prediction("b"), prediction("w", problem="wine")])
    assert store.exports.waiting() == {"iris": 3, "wine": 1}
    export = claim(store, 2)
    assert store.exports.waiting() == {"iris": 3, "wine": 1}
    assert [found.exported_at for found in store.predictions.get("a")] == [None, None]
    before = datetime.now(UTC)
    store.exports.finish(export, "run")
    assert (store.exports.unfinished(), store.exports.waiting()) == ([], {"iris": 1, "wine": 1})
    for found in store.predictions.get("a"):
        assert found.exported_at
        assert before <= found.exported_at <= datetime.now(UTC)
    assert store.predictions.get("b")[0].exported_at is None
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


def test_threads_that_claim_at_once_never_have_the_same_row(url: str, store: Store) -> None:
    store.predictions.write([prediction(str(number)) for number in range(200)])

    def claim_with_own_store(_: int) -> list[Export]:
        with closing(Store(url)) as own:
            return claim_all(own, 7)

    with ThreadPoolExecutor(4) as pool:
        claimed = [each for found in pool.map(claim_with_own_store, range(4)) for each in found]
    counts = Counter(key for each in claimed for key in ids(store, each))
    assert set(counts.values()) == {1}
    assert len(counts) == sum(each.rows for each in claimed) == 200


def test_a_claim_lets_feedback_in_between(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.predictions.write([prediction(str(number)) for number in range(6)])
    numbers = iter(range(6))

    def give_feedback(_: float) -> None:
        with closing(Store(url)) as other:
            other.feedback.give(str(next(numbers)), SETOSA)

    monkeypatch.setattr("common.store.monitoring.exports.time.sleep", give_feedback)
    claim(store, 6)
    assert next(numbers) == 2


def test_one_process_at_a_time_has_the_lock(url: str, store: Store) -> None:
    assert store
    with process_lock(url, "exporting") as first, process_lock(url, "exporting") as second:
        assert (first, second) == (True, False)


def test_a_lock_in_postgresql_is_free_before_its_connection_is_gone(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    held = sa.text(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
        " WHERE datname = current_database() AND locktype = 'advisory' AND objid = :number"
    ).bindparams(number=LOCK_NUMBERS["exporting"])
    found = []
    with engine.connect() as connection:
        for _ in range(50):
            with process_lock(postgres_url, "exporting"):
                found.append(connection.scalar(held))
            found.append(connection.scalar(held))
    engine.dispose()
    assert found == [1, 0] * 50


def test_a_lock_that_cannot_be_asked_for_is_an_error_of_the_store(postgres_url: str, sqlite_url: str) -> None:
    away = sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    for url in (away, f"{sqlite_url}/nowhere"):
        with pytest.raises(StoreError, match="cannot be locked"), process_lock(url, "exporting"):
            pass


def test_an_index_serves_waiting_rows_and_the_rows_of_an_export(sqlite_store: Store) -> None:
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
