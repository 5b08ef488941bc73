"""The connection to PostgreSQL, where an advisory lock lets one writer in at a time, as SQLite does by itself."""

from typing import Any

import sqlalchemy as sa

from common.store.database import BUSY_TIMEOUT_MS, as_json, create_sqlite

CONNECT_TIMEOUT_SECONDS = 5
IDLE_SECONDS = 300  # PostgreSQL closes a connection that nobody has used for so long
# Any number, as long as all processes of the lab use the same.
WRITER_LOCK = 0x6C6162


def connect(url: sa.URL) -> sa.Engine:
    """Return the engine for a database of SQLite or PostgreSQL."""
    if url.get_backend_name() == "sqlite":
        return create_sqlite(url)
    arguments = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    # The last connection that came back is the next to be used, so those of a busy moment become idle afterwards.
    engine = sa.create_engine(
        url, json_serializer=as_json, pool_pre_ping=True, pool_use_lifo=True, connect_args=arguments
    )
    sa.event.listen(engine, "connect", _connected)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _connected(connection: Any, _record: Any) -> None:
    connection.execute(f"SET idle_session_timeout = '{IDLE_SECONDS}s'")
    connection.commit()


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reads"):
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {options.get('wait_ms', BUSY_TIMEOUT_MS)}")
    if not options.get("durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
