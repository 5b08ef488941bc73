"""Creates the tables in a new database, and upgrades the tables of an older one."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.store.tables import SCHEMA, metadata

MIGRATIONS = Path(__file__).parent / "migrations"
# Alembic's own table: it holds the number of the schema.
VERSION = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def bring_up_to_date(connection: sa.Connection) -> None:
    """Create or upgrade the tables, unless they are up to date.

    Raises:
        ValueError: this version of the lab does not know the schema, or the folder of the migrations is missing.
    """
    tables = set(sa.inspect(connection).get_table_names())
    found = connection.execute(VERSION.select()).scalar() if VERSION.name in tables else None
    if found == SCHEMA and tables >= metadata.tables.keys():
        return
    # SQLite's tables can be created from their description in the code, without Alembic, which would cost a service
    # a quarter of a second and 12 MB. The description says too little about PostgreSQL's indexes.
    if connection.dialect.name == "sqlite" and (not tables or found == SCHEMA):
        metadata.create_all(connection)
        if not tables:
            VERSION.create(connection)
            connection.execute(VERSION.insert().values(version_num=SCHEMA))
        return
    _migrate(connection, found)


def _migrate(connection: sa.Connection, found: str | None) -> None:
    if not MIGRATIONS.is_dir():
        now = f"has schema {found}" if found else "has no schema"
        missing = f"common/store/migrations, the folder that makes schema {SCHEMA} of it, is missing"
        raise ValueError(f"it {now}, and {missing}")
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    scripts = ScriptDirectory(str(MIGRATIONS))

    def revisions(now: Any, _: Any) -> Any:
        return scripts._upgrade_revs(SCHEMA, now)  # noqa: SLF001  # as alembic's own command `upgrade` does

    try:
        with EnvironmentContext(Config(), scripts, fn=revisions) as environment:
            environment.configure(connection=connection, target_metadata=metadata)
            environment.run_migrations()
    except CommandError as error:
        raise ValueError(f"this version of the lab does not know its schema {found} ({error})") from error
