"""A lock that at most one process holds, across machines; it is released when that process ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from common.store.database import CONNECT_TIMEOUT_SECONDS, StoreError

# Any number, as long as it differs from `WRITER_LOCK` and all processes of the lab use the same.
LOCK_NUMBER = 0x6C6163


def exporter_lock(url: str) -> AbstractContextManager[bool]:
    """Return a context that takes the lock of the exporter of the store at `url`; its value is whether it could.

    PostgreSQL has such locks; beside SQLite's file, another file is locked. The operating system or the server
    releases the lock when the process ends, so nobody has to guess from a clock whether the holder still lives.

    Raises:
        StoreError: the lock cannot be asked for.
    """
    parsed = sa.make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    return _file_locked(Path(f"{parsed.database}-exporting")) if is_sqlite else _advisory_locked(parsed)


@contextmanager
def _file_locked(path: Path) -> Iterator[bool]:
    try:
        file = path.open("a")
    except OSError as error:
        raise StoreError(f"{path} cannot be locked: {error.strerror}") from error
    with file:
        locked = False
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        yield locked


@contextmanager
def _advisory_locked(url: sa.URL) -> Iterator[bool]:
    connect = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args=connect)
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(engine.connect())
            locked = bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({LOCK_NUMBER})").scalar())
        except SQLAlchemyError as error:
            raise StoreError(f"the store cannot be locked: {str(error).splitlines()[0]}") from error
        yield locked
