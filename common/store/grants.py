"""The rights of the services in PostgreSQL: a role gets for each table the verbs that its service needs, and no more.

`containers/migrate.py` gives them as the owner of the tables, after it has made these. SQLite has no roles.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import sqlalchemy as sa

from common.store.database import Database
from common.store.postgresql import connect

# PostgreSQL's own letters for rights.
VERBS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


class Rights(NamedTuple):
    """The letters of the rights that each service's role has on a table."""

    lab_api: str = ""
    lab_worker: str = ""
    lab_monitor: str = ""


ROLES = Rights._fields
# Every table and view of the store; a test compares them. To count is to add a row or to change it.
RIGHTS: Mapping[str, Rights] = {
    # Only the owner writes the number of the schema; everybody reads it at the start.
    "alembic_version": Rights("r", "r", "r"),
    # The api logs and erases; the monitor writes the export of a row, and deletes old rows.
    "predictions": Rights("rad", "r", "rwd"),
    "feedback": Rights("rawd", "r", "rd"),
    "prediction_counts": Rights("raw", "r", "r"),
    "confusion_counts": Rights("raw", "", "r"),
    "paired_counts": Rights("raw", "", "r"),
    "paired_truths": Rights("raw", "", "r"),
    "label_delays": Rights("raw", "", "r"),
    "timeline_answers": Rights("raw", "", "rd"),
    "timeline_truths": Rights("raw", "", "rd"),
    # The worker moves the alias, too, when it withdraws corrections.
    "champions": Rights("raw", "raw", "r"),
    "suggestions": Rights("raw", "raw", "r"),
    "judgements": Rights("rw", "raw", "r"),
    # Erasing takes the sender's address out of an event, so events can be changed.
    "correction_events": Rights("raw", "raw", "r"),
    "vettings": Rights("raw", "raw", "r"),
    "vetting_maps": Rights("", "ra", "r"),
    "version_corrections": Rights("r", "rad", "r"),
    "withdrawals": Rights("raw", "rw", "r"),
    "erasures": Rights("ra", "", "r"),
    # The api counts erased rows and rows that it left out as exported.
    "exports": Rights("raw", "", "raw"),
    "missing_rows": Rights("raw", "", "raw"),
    "exported_days": Rights("", "", "rad"),
    "windows": Rights("", "", "rad"),
    "alerts": Rights("", "", "raw"),
    "replays": Rights("", "", "rawd"),
    # The api adds entries and reads none; the monitor shows them, and deletes those that are too many.
    "audit_log": Rights("a", "", "rad"),
    # No service reads the view. People who ask the database do so with the monitor's role.
    "predictions_and_revisions": Rights("", "", "r"),
}

_OURS = "relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) = current_user"
_TABLES = f"SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND {_OURS} ORDER BY relname"  # noqa: S608  # our own words
_SEQUENCES = f"""
    SELECT pg_depend.refobjid::regclass::name AS its_table, relname FROM pg_class JOIN pg_depend ON objid = pg_class.oid
    WHERE relkind = 'S' AND deptype IN ('a', 'i') AND refclassid = 'pg_class'::regclass AND {_OURS}
"""  # noqa: S608  # our own words


def give_rights(url: str) -> Sequence[str]:
    """Give the roles of the services these rights on the tables of the role that `url` names, and take all others.

    It is one transaction, so that no service that runs misses a right meanwhile.

    Returns:
        The roles that the server does not have: they get nothing.

    Raises:
        StoreError: the database fails, or its tables are not up to date.
    """
    with closing(Database(url, connect=connect)) as database, database.writing() as connection:
        there = {*connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars()}
        if roles := [role for role in ROLES if role in there]:
            tables = connection.execute(sa.text(_TABLES)).scalars().all()
            sequences = {row.its_table: row.relname for row in connection.execute(sa.text(_SEQUENCES))}
            for statement in _statements(tables, sequences, roles):
                connection.exec_driver_sql(statement)
    return [role for role in ROLES if role not in roles]


def _statements(tables: Collection[str], sequences: Mapping[str, str], roles: Sequence[str]) -> list[str]:
    everybody = ", ".join(roles)
    # An older version gave each new table to all of them.
    found = [
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON {kind} FROM {everybody}"
        for kind in ("TABLES", "SEQUENCES")
    ]
    found += [f'REVOKE ALL ON TABLE "{table}" FROM {everybody}' for table in tables]
    found += [f'REVOKE ALL ON SEQUENCE "{name}" FROM {everybody}' for name in sequences.values()]
    for table in tables:
        for role, letters in RIGHTS.get(table, Rights())._asdict().items():
            if letters and role in roles:
                found.append(f'GRANT {", ".join(VERBS[each] for each in letters)} ON TABLE "{table}" TO {role}')
                if "a" in letters and table in sequences:
                    found.append(f'GRANT USAGE ON SEQUENCE "{sequences[table]}" TO {role}')
    return found
