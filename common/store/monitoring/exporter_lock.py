"""A place that only one process has at a time, whichever machine or container it is in; it goes with its holder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from common.store.database import CONNECT_TIMEOUT_SECONDS, StoreError

# Any number will do that is not the writers'.
EXPORTER_LOCK = 0x6C6163


@contextmanager
def alone(url: str) -> Iterator[bool]:
    """Tell whether this process is the only one that writes the external log of the store at `url`, till the end.

    The lock is where the rows are: PostgreSQL's own, or a file's beside SQLite's. Both end with the process, however it
    ends, so that nobody has to guess by the clock whether a holder still lives.

    Raises:
        StoreError: that cannot be told.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with _file_locked(Path(f"{parsed.database}-exporting")) as locked:
            yield locked
    else:
        with _advisory_locked(parsed) as locked:
            yield locked


@contextmanager
def _file_locked(path: Path) -> Iterator[bool]:
    try:
        file = path.open("a")
    except OSError as error:
        raise StoreError(f"{path} cannot be locked: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            locked = False
        else:
            locked = True
        yield locked


@contextmanager
def _advisory_locked(url: sa.URL) -> Iterator[bool]:
    connect = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args=connect)
    try:
        connection = engine.connect()
        locked = bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({EXPORTER_LOCK})").scalar())
    except SQLAlchemyError as error:
        raise StoreError(f"the store cannot be locked: {str(error).splitlines()[0]}") from error
    with connection:
        yield locked
