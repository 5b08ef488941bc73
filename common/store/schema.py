"""Creates the tables in a new database, and upgrades the tables of an older one."""

from collections.abc import Callable

import sqlalchemy as sa

from common.store.tables import SCHEMA, metadata

# Alembic's own table: it holds the number of the schema.
VERSION = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


# Upgrades the tables from the given schema, None if there is none.
Upgrade = Callable[[sa.Connection, str | None], None]


def bring_up_to_date(connection: sa.Connection, upgrade: Upgrade | None) -> None:
    """Create the tables, or upgrade them by `upgrade`, unless they are up to date.

    Raises:
        ValueError: this version of the lab does not know the schema, or there is no `upgrade`.
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
    if upgrade is None:
        now = f"has schema {found}" if found else "has no schema"
        missing = f"common/store/migrations, the folder that makes schema {SCHEMA} of it, is missing"
        raise ValueError(f"it {now}, and {missing}")
    upgrade(connection, found)
