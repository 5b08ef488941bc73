"""Snapshots of databases while others write to them: SQLite by its online backup, PostgreSQL by pg_dump."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from scripts.backup.archive import BackupError

VERSION_TABLE = "alembic_version"
CONNECT_SECONDS = 5
Counts = dict[str, int]


def save_sqlite(source: Path, target: Path) -> int:
    """Write a copy of a SQLite database as it is at one moment; writers go on meanwhile. Return its size in bytes.

    All pages are copied in one read transaction: copied in steps, the copy would begin anew with each write of another
    process, and under load it would never end.

    Raises:
        BackupError: the database cannot be read, or is damaged.
    """
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as found,
            closing(sqlite3.connect(target)) as copy,
        ):
            found.execute("PRAGMA busy_timeout=30000")
            found.backup(copy, pages=-1)
            # The copy says of itself that it has a log beside it, as the source has; one file is what is saved.
            copy.execute("PRAGMA journal_mode=DELETE")
            [answer] = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{source} cannot be saved: {error}") from error
    if answer != "ok":
        raise BackupError(f"{source} is damaged, and is not saved: {answer}")
    return target.stat().st_size


def count_sqlite(path: Path) -> Counts:
    """Return the number of rows of each table of a SQLite database.

    Raises:
        BackupError: it cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            names = [
                name
                for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
                if not name.startswith("sqlite_")
            ]
            return {name: _count(database, name) for name in names}
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be read: {error}") from error


def _count(database: sqlite3.Connection, table: str) -> int:
    [rows] = database.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608  # names of its own tables
    return int(rows)


def schema_of_sqlite(path: Path) -> str | None:
    """Return the number of the schema of a store; None if the file is no store."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None


@contextmanager
def _connected(url: sa.URL) -> Iterator[sa.Connection]:
    engine = sa.create_engine(
        url, poolclass=sa.NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}, isolation_level="REPEATABLE READ"
    )
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise BackupError(f"the database does not answer: {str(error).splitlines()[0]}") from error


def save_postgresql(url: sa.URL, target: Path) -> tuple[Counts, str | None]:
    """Write a dump of a PostgreSQL database as it is at one moment; return its rows by table, and its schema.

    The counts and the dump are of the same snapshot.

    Raises:
        BackupError: pg_dump is not installed, or fails.
    """
    program = _program("pg_dump")
    with _connected(url) as connection:
        snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar()
        counts = _rows_by_table(connection)
        schema = None
        if VERSION_TABLE in counts:
            schema = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608
        _run(program, url, "--format=custom", "--compress=0", f"--snapshot={snapshot}", f"--file={target}")
    return counts, schema


def restore_postgresql(url: sa.URL, dump: Path) -> Counts:
    """Bring a dump back into an empty database, all or nothing; return its rows by table.

    Raises:
        BackupError: pg_restore is not installed, or it fails.
    """
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
    _run(_program("pg_restore"), url, *options, str(dump))
    return rows_there(url)


def rows_there(url: sa.URL) -> Counts:
    """Return the rows of a PostgreSQL database by table; none if it has no tables, and can be filled.

    Raises:
        BackupError: it does not answer, or pg_restore is not installed.
    """
    _program("pg_restore")
    with _connected(url) as connection:
        return _rows_by_table(connection)


def _rows_by_table(connection: sa.Connection) -> Counts:
    preparer = connection.dialect.identifier_preparer
    counts = {}
    for name in sorted(sa.inspect(connection).get_table_names()):
        query = f"SELECT count(*) FROM {preparer.quote_identifier(name)}"  # noqa: S608  # names of its own tables
        counts[name] = int(connection.exec_driver_sql(query).scalar() or 0)
    return counts


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    raise BackupError(
        f"{name} is not installed, and the store is in PostgreSQL: install PostgreSQL's client programs, of the "
        "server's version or a later one (Debian: apt-get install postgresql-client)"
    )


def _run(program: str, url: sa.URL, *arguments: str) -> None:
    # The password goes by the environment: every user of the machine can read the arguments of a program.
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    bare = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    ended = subprocess.run(
        [program, f"--dbname={bare}", *arguments], env={**os.environ, **password},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        reason = "; ".join(ended.stderr.strip().splitlines()[:2]) or f"code {ended.returncode}"
        raise BackupError(f"{Path(program).name} failed: {reason}")
