"""Runs the migrations on a database that has an older schema, or none."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.store.migrations.revisions_view import create_with_tables
from common.store.tables import SCHEMA, metadata

sa.event.listen(metadata, "after_create", create_with_tables)


def upgrade(connection: sa.Connection, found: str | None) -> None:
    """Upgrade the tables from the schema `found` to the newest.

    Raises:
        ValueError: this version of the lab does not know the schema.
    """
    # Imported here: a service that finds its tables up to date saves a quarter of a second and 12 MB.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    scripts = ScriptDirectory(str(Path(__file__).parent))

    def revisions(now: Any, _: Any) -> Any:
        return scripts._upgrade_revs(SCHEMA, now)  # noqa: SLF001  # as alembic's own command `upgrade` does

    try:
        with EnvironmentContext(Config(), scripts, fn=revisions) as environment:
            environment.configure(connection=connection, target_metadata=metadata)
            environment.run_migrations()
    except CommandError as error:
        raise ValueError(f"this version of the lab does not know its schema {found} ({error})") from error
