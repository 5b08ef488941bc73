"""PostgreSQL closes the connections that a busy moment has opened, and the store opens new ones for the next."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import sqlalchemy as sa

from common.store import Store, postgresql
from scripts.parts import wait_for


@pytest.fixture
def observer(postgres_url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


def connections(observer: sa.Connection) -> set[int]:
    """Return the processes of PostgreSQL that serve other connections with this database."""
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return set(observer.exec_driver_sql(others).scalars())


def open_at_once(store: Store, count: int) -> None:
    """Use several connections at the same time."""
    with ExitStack() as busy:
        for _ in range(count):
            connection = busy.enter_context(store._database._engine.connect())
            connection.execution_options(reads=True).exec_driver_sql("SELECT 1")


def test_connections_of_a_busy_moment_are_closed_when_nobody_uses_them(
    postgres_url: str, observer: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "IDLE_SECONDS", 2)
    with closing(Store(postgres_url)) as store:
        open_at_once(store, 4)
        assert len(connections(observer)) == 4
        [used] = wait_for("one connection", lambda: _only(store, observer))
        assert connections(observer) == {used}
        open_at_once(store, 4)
        assert len(connections(observer)) == 4


def _only(store: Store, observer: sa.Connection) -> set[int] | None:
    """Use one connection; return the processes of PostgreSQL if one is left."""
    assert store.predictions.get("p") == []
    found = connections(observer)
    return found if len(found) == 1 else None
