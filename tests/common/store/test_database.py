"""The database is opened or refused in one line, written whole or not at all, and may go away and come back."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url

from common.store import Store, StoreError, database
from common.store.database import BadRowError
from tests.common.store.rows import SETOSA, prediction, suggestion
from tests.postgres import Postgres


def assert_one_line(error: pytest.ExceptionInfo[BaseException]) -> None:
    assert len(str(error.value).splitlines()) == 1


def test_what_was_kept_is_there_after_reopening(url: str) -> None:
    first = Store(url)
    first.suggestions.add(suggestion("a"))
    first.suggestions.delivery_failed("a", "Prefect is down", datetime.now(UTC))
    first.predictions.write([prediction("p")])
    first.close()
    second = Store(url)
    assert second.suggestions.get("a") == replace(suggestion("a"), attempts=1, last_error="Prefect is down")
    assert [found.row for found in second.predictions.get("p")] == [prediction("p")]
    second.close()


def test_what_one_store_adds_another_sees_at_once(store: Store, url: str) -> None:
    with closing(Store(url)) as other:
        store.suggestions.add(suggestion("a"))
        store.predictions.write([prediction("p")])
        assert other.suggestions.get("a") == suggestion("a")
        assert [found.row for found in other.predictions.get("p")] == [prediction("p")]


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store._database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO label_delays VALUES ('iris', 'm', '2026-03-01', 1, 1)")
            raise KeyError("p")

    with pytest.raises(KeyError):
        fail()
    with store._database.writing() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM label_delays").scalar() == 0


def another_switches(path: Path) -> sqlite3.Connection:
    """Be a process that is about to make a new file write ahead: what SQLite refuses others beside, without waiting."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_new_file_that_another_process_prepares_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(another_switches(tmp_path / "lab.db")) as other:
        monkeypatch.setattr("time.sleep", lambda _: other.rollback())
        with closing(Store(f"sqlite:///{tmp_path}/lab.db")) as store:
            store.suggestions.add(suggestion("a"))
            assert other.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_a_new_file_that_another_process_keeps_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    with closing(another_switches(tmp_path / "lab.db")), pytest.raises(StoreError, match="is locked") as refused:
        Store(f"sqlite:///{tmp_path}/lab.db")
    assert_one_line(refused)


def test_reading_does_not_wait_for_a_writer(store: Store, url: str) -> None:
    store.suggestions.add(suggestion("a"))
    with closing(Store(url)) as other, other._database.writing() as connection:
        connection.exec_driver_sql("UPDATE suggestions SET class_name = 'half'")
        assert store.suggestions.get("a") == suggestion("a")


def test_a_writer_that_has_waited_long_enough_says_so(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    with closing(Store(url)) as other:
        with store._database.writing(), pytest.raises(StoreError, match=r"locked|lock timeout") as refused:
            other.suggestions.add(suggestion("a"))
        assert_one_line(refused)
        other.suggestions.add(suggestion("a"))
        assert store.suggestions.get("a") == suggestion("a")


def test_an_answer_means_that_the_row_is_in_the_file(sqlite_store: Store, tmp_path: Path) -> None:
    sqlite_store.suggestions.add(suggestion("a"))
    with closing(sqlite3.connect(tmp_path / "data" / "lab.db")) as other:
        assert other.execute("SELECT id FROM suggestions").fetchall() == [("a",)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_only_what_is_acknowledged_waits_for_the_disk(sqlite_store: Store, *, durable: bool, level: int) -> None:
    with sqlite_store._database.writing(durable=durable) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level


@pytest.mark.parametrize(("durable", "level"), [(True, "on"), (False, "off")])
def test_only_what_is_acknowledged_waits_for_postgresql(postgres_store: Store, *, durable: bool, level: str) -> None:
    for commit in (durable, not durable, durable):
        with postgres_store._database.writing(durable=commit) as connection:
            found = connection.exec_driver_sql("SHOW synchronous_commit").scalar()
    assert found == level


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////",
        "sqlite:////dev/null/lab.db",
        "postgresql+psycopg://lab:secret@127.0.0.1:1/lab",
        "postgresql+psycopg://lab:secret@127.0.0.1:port/lab",
        "unknown://lab:secret@127.0.0.1/lab",
        "lab:secret@127.0.0.1",
        "",
    ],
)
def test_a_store_that_cannot_be_opened_says_so_in_one_line_without_the_password(url: str) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as refused:
        Store(url)
    assert_one_line(refused)
    assert "secret" not in str(refused.value)


def test_a_store_that_is_no_database_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lab.db").write_text("something else " * 100, encoding="utf-8")
    with pytest.raises(StoreError, match="not a database") as refused:
        Store(f"sqlite:///{tmp_path}/lab.db")
    assert_one_line(refused)


def test_a_database_that_is_not_there_says_so_in_one_line(postgres_url: str) -> None:
    with pytest.raises(StoreError, match='database "nowhere" does not exist') as refused:
        Store(make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False))
    assert_one_line(refused)


def test_a_store_that_is_lost_later_says_so_in_one_line(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    with store._database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE suggestions")
    with pytest.raises(StoreError, match="cannot be read") as unread:
        store.suggestions.get("a")
    with pytest.raises(StoreError, match="cannot be written") as unwritten:
        store.suggestions.add(suggestion("b"))
    assert_one_line(unread)
    assert_one_line(unwritten)


def test_a_store_that_is_not_opened_holds_no_connection(postgres_url: str) -> None:
    Store(postgres_url).close()
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="its schema 9999") as refused:
        Store(postgres_url)
    with engine.begin() as connection:
        here = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'"
        assert connection.exec_driver_sql(here).scalar() == 0
    engine.dispose()
    assert refused.value.__cause__


def test_a_transaction_that_outlives_its_store_closes_its_connection(url: str) -> None:
    store = Store(url)
    with store._database.writing() as connection:
        driver = connection.connection.driver_connection
        store.close()
    assert driver is not None
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
        driver.execute("SELECT 1")


def test_a_value_that_no_database_takes_is_a_bad_row_and_leaves_nothing(store: Store) -> None:
    for bad in (prediction("bad", "\ud800"), prediction("bad", version=2**70)):
        with pytest.raises(BadRowError, match="cannot be written") as refused:
            store.predictions.write([prediction("p"), bad])
        assert_one_line(refused)
        assert store.predictions.get("p") == []


def test_a_server_that_goes_away_says_so_in_one_line_and_is_used_again_when_it_is_back(
    postgres: Postgres, postgres_store: Store
) -> None:
    postgres_store.predictions.write([prediction("p")])
    with postgres.stopped():
        with pytest.raises(StoreError, match="cannot be read") as unread:
            postgres_store.predictions.get("p")
        with pytest.raises(StoreError, match="cannot be written") as unwritten:
            postgres_store.feedback.give("p", SETOSA)
        with pytest.raises(StoreError, match="cannot be opened") as unopened:
            Store(postgres_store._database._engine.url.render_as_string(hide_password=False))
    for error in (unread, unwritten, unopened):
        assert_one_line(error)
    postgres_store.feedback.give("p", SETOSA)
    [found] = postgres_store.predictions.get("p")
    assert found.truth == SETOSA


def test_a_server_that_has_been_started_anew_meanwhile_makes_no_difference(
    postgres: Postgres, postgres_store: Store
) -> None:
    postgres_store.predictions.write([prediction("p")])
    with postgres.stopped():
        pass
    postgres_store.feedback.give("p", SETOSA)
    [found] = postgres_store.predictions.get("p")
    assert found.truth == SETOSA


def test_a_server_that_goes_away_in_the_middle_of_a_transaction_leaves_nothing_of_it(
    postgres: Postgres, postgres_store: Store
) -> None:
    def write_half() -> None:
        with postgres_store._database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO label_delays VALUES ('iris', 'm', now(), 1, 1)")
            with postgres.stopped():
                pass

    with pytest.raises(StoreError, match="cannot be written") as unwritten:
        write_half()
    assert_one_line(unwritten)
    with postgres_store._database.writing() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM label_delays").scalar() == 0


def test_an_error_of_sqlite_does_not_show_the_features_of_people(sqlite_store: Store) -> None:
    with sqlite_store._database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON suggestions BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    with pytest.raises(StoreError, match="disk is full") as refused:
        sqlite_store.suggestions.add(suggestion("a"))
    assert "sepal_length" not in str(refused.value)
    assert sqlite_store.suggestions.get("a") is None


def test_an_error_of_postgresql_does_not_show_the_features_of_people(postgres_store: Store) -> None:
    with postgres_store._database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE suggestions ADD CONSTRAINT nobody CHECK (id = '')")
    with pytest.raises(StoreError, match='check constraint "nobody"') as refused:
        postgres_store.suggestions.add(suggestion("a"))
    # The second line of PostgreSQL's message has the whole row.
    assert "sepal_length" in str(refused.value.__cause__)
    assert "sepal_length" not in str(refused.value)
    assert postgres_store.suggestions.get("a") is None
