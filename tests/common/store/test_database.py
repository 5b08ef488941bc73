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
from tests.common.refusals import refused
from tests.common.store.rows import SETOSA, VERSICOLOR, prediction, suggestion
from tests.postgres import Postgres


def test_kept_rows_are_there_after_reopening(url: str) -> None:
    first = Store(url)
    first.suggestions.add(suggestion("a"))
    first.suggestions.delivery_failed("a", "Prefect is down", datetime.now(UTC))
    first.predictions.write([prediction("p")])
    first.close()
    second = Store(url)
    assert second.suggestions.get("a") == replace(suggestion("a"), attempts=1, last_error="Prefect is down")
    assert [found.row for found in second.predictions.get("p")] == [prediction("p")]
    second.close()


def test_one_store_sees_at_once_the_rows_that_another_adds(store: Store, url: str) -> None:
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
    """Be a process that switches a new file to write ahead: SQLite refuses all others meanwhile, without waiting."""
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
    with closing(another_switches(tmp_path / "lab.db")), refused(StoreError, "is locked"):
        Store(f"sqlite:///{tmp_path}/lab.db")


def test_reading_does_not_wait_for_a_writer(store: Store, url: str) -> None:
    store.suggestions.add(suggestion("a"))
    with closing(Store(url)) as other, other._database.writing() as connection:
        connection.exec_driver_sql("UPDATE suggestions SET class_name = 'half'")
        assert store.suggestions.get("a") == suggestion("a")


def test_a_writer_that_has_waited_long_enough_says_so(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    with closing(Store(url)) as other:
        with store._database.writing(), refused(StoreError, r"locked|lock timeout"):
            other.suggestions.add(suggestion("a"))
        other.suggestions.add(suggestion("a"))
        assert store.suggestions.get("a") == suggestion("a")


def test_an_answer_means_that_the_row_is_in_the_file(sqlite_store: Store, tmp_path: Path) -> None:
    sqlite_store.suggestions.add(suggestion("a"))
    with closing(sqlite3.connect(tmp_path / "data" / "lab.db")) as other:
        assert other.execute("SELECT id FROM suggestions").fetchall() == [("a",)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_only_acknowledged_writes_wait_for_the_disk(store: Store, url: str) -> None:
    is_sqlite = url.startswith("sqlite")
    question, levels = ("PRAGMA synchronous", (2, 1)) if is_sqlite else ("SHOW synchronous_commit", ("on", "off"))
    for durable in (True, False, True):
        with store._database.writing(durable=durable) as connection:
            assert connection.exec_driver_sql(question).scalar() == levels[0 if durable else 1]


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
    with refused(StoreError, "cannot be opened") as error:
        Store(url)
    assert "secret" not in str(error.value)


def test_a_store_that_is_no_database_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lab.db").write_text("something else " * 100, encoding="utf-8")
    with refused(StoreError, "not a database"):
        Store(f"sqlite:///{tmp_path}/lab.db")


def test_a_database_that_is_not_there_says_so_in_one_line(postgres_url: str) -> None:
    with refused(StoreError, 'database "nowhere" does not exist'):
        Store(make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False))


def test_a_store_that_is_lost_later_says_so_in_one_line(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    with store._database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE suggestions RENAME TO gone")
    with refused(StoreError, "cannot be read"):
        store.suggestions.get("a")
    with refused(StoreError, "cannot be written"):
        store.suggestions.add(suggestion("b"))


def test_a_store_that_is_not_opened_holds_no_connection(postgres_url: str) -> None:
    Store(postgres_url).close()
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with refused(StoreError, "its schema 9999") as error:
        Store(postgres_url)
    with engine.begin() as connection:
        here = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'"
        assert connection.exec_driver_sql(here).scalar() == 0
    engine.dispose()
    assert error.value.__cause__


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
        with refused(BadRowError, "cannot be written"):
            store.predictions.write([prediction("p"), bad])
        assert store.predictions.get("p") == []


def test_a_server_that_goes_away_says_so_in_one_line_and_is_used_again_when_it_is_back(
    postgres: Postgres, postgres_store: Store
) -> None:
    postgres_store.predictions.write([prediction("p")])
    with postgres.stopped():
        with refused(StoreError, "cannot be read"):
            postgres_store.predictions.get("p")
        with refused(StoreError, "cannot be written"):
            postgres_store.feedback.give("p", SETOSA)
        with refused(StoreError, "cannot be opened"):
            Store(postgres_store._database._engine.url.render_as_string(hide_password=False))
    postgres_store.feedback.give("p", SETOSA)
    with postgres.stopped():
        pass  # started anew while the store asked nothing
    postgres_store.feedback.give("p", VERSICOLOR, replace=True)
    [found] = postgres_store.predictions.get("p")
    assert found.truth == VERSICOLOR


def test_a_server_that_goes_away_in_the_middle_of_a_transaction_leaves_nothing_of_it(
    postgres: Postgres, postgres_store: Store
) -> None:
    def write_half() -> None:
        with postgres_store._database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO label_delays VALUES ('iris', 'm', now(), 1, 1)")
            with postgres.stopped():
                pass

    with refused(StoreError, "cannot be written"):
        write_half()
    with postgres_store._database.writing() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM label_delays").scalar() == 0


def test_an_error_does_not_show_the_features_of_people(store: Store, url: str) -> None:
    on_sqlite = "CREATE TRIGGER full BEFORE INSERT ON suggestions BEGIN SELECT RAISE(ABORT, 'nobody'); END"
    on_postgresql = "ALTER TABLE suggestions ADD CONSTRAINT nobody CHECK (id = '')"
    with store._database.writing() as connection:
        connection.exec_driver_sql(on_sqlite if url.startswith("sqlite") else on_postgresql)
    with refused(StoreError, "nobody") as error:
        store.suggestions.add(suggestion("a"))
    # The second line of PostgreSQL's message has the whole row.
    assert url.startswith("sqlite") or "sepal_length" in str(error.value.__cause__)
    assert "sepal_length" not in str(error.value)
    assert store.suggestions.get("a") is None
