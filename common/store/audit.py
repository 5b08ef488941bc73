"""The audit log: who did what, the newest 10 000 entries. Services add entries; only the monitor deletes old ones.

Its table is no part of the schema: no other table needs it, and it is made when the first entry is written.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.tables import UtcDateTime

MOST = 10_000
MOST_SHOWN = 200
LONGEST = 200  # characters of a text in an entry

_metadata = sa.MetaData()
audit_log = sa.Table(
    "audit_log",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class AuditEntry:
    """Something that somebody did.

    Attributes:
        at: when.
        actor: the name of a key, or "nobody" for an attempt without one.
        role: the role of that key; "" without one.
        client: the address of the client.
        action: the method and the path of the request.
        result: the status of the answer, or a word.
    """

    at: datetime
    actor: str
    role: str
    client: str
    action: str
    result: str


class AuditLog(StorePart):
    """The entries."""

    _is_there = False  # whether this process knows that the table exists

    def note(self, actor: str, role: str, client: str, action: str, result: str) -> None:
        """Add an entry."""
        texts = {"actor": actor, "role": role, "client": client, "action": action, "result": result}
        entry = {name: text.replace("\0", "")[:LONGEST] for name, text in texts.items()}
        self._make_table()
        with self._database.writing() as connection:
            # Inline: nobody asks for the id of the new row, because the api may not read the table.
            connection.execute(sa.insert(audit_log).inline().values(at=datetime.now(UTC), **entry))

    def trim(self) -> None:
        """Forget the oldest entries above `MOST`."""
        self._make_table()
        newest = sa.select(sa.func.max(audit_log.c.id)).scalar_subquery()
        with self._database.writing(durable=False) as connection:
            connection.execute(sa.delete(audit_log).where(audit_log.c.id <= newest - MOST))

    def newest(self) -> list[AuditEntry]:
        """Return the newest `MOST_SHOWN` entries, newest first."""
        self._make_table()
        query = sa.select(audit_log).order_by(audit_log.c.id.desc()).limit(MOST_SHOWN)
        return records(AuditEntry, self._database.read(query))

    def _make_table(self) -> None:
        if not self._is_there:
            with self._database.writing() as connection:
                _metadata.create_all(connection)
            self._is_there = True
