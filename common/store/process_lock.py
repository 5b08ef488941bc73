"""A lock that at most one process holds, across machines; it is released when that process ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from common.store.database import StoreError
from common.store.postgresql import CONNECT_TIMEOUT_SECONDS

# PostgreSQL's numbers of the locks: any, as long as they differ from `WRITER_LOCK` and all processes use the same.
LOCK_NUMBERS = {"exporting": 0x6C6163, "deciding": 0x6C6164}


def process_lock(url: str, name: str) -> AbstractContextManager[bool]:
    """Return a context that takes the lock `name` of the store at `url`; its value is whether it could.

    PostgreSQL has such locks; beside SQLite's file, another file is locked. The operating system or the server
    releases the lock when the process ends, so nobody has to guess from a clock whether the holder still lives.

    Raises:
        StoreError: the lock cannot be asked for.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _file_locked(Path(f"{parsed.database}-{name}"))
    return _advisory_locked(parsed, LOCK_NUMBERS[name])


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
def _advisory_locked(url: sa.URL, number: int) -> Iterator[bool]:
    connect = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args=connect)
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(engine.connect())
            locked = bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({number})").scalar())
        except SQLAlchemyError as error:
            raise StoreError(f"the store cannot be locked: {str(error).splitlines()[0]}") from error
        try:
            yield locked
        finally:
            # The server notices the end of a connection only a moment later; until then, nobody would get the lock.
            with suppress(SQLAlchemyError):
                if locked:
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({number})")
