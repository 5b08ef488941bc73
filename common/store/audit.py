"""The audit log: who did what, the newest 10 000 entries, and the newest 1 000 of strangers, who have no key.

Strangers have a limit of their own, or whoever sends wrong keys could push out what others did. Services add entries;
only the monitor deletes old ones.

Its table is no part of the schema: no other table needs it, and it is made when the first entry is written.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.tables import UtcDateTime

NOBODY = "nobody"
MOST, MOST_OF_STRANGERS = 10_000, 1_000
MOST_SHOWN, MOST_SHOWN_OF_STRANGERS = 200, 50
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
_of_strangers = audit_log.c.role == ""


@dataclass(frozen=True)
class AuditEntry:
    """Something that somebody did.

    Attributes:
        at: when.
        actor: the name of a key, or `NOBODY` for an attempt without one.
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
        """Forget the oldest entries of holders above `MOST`, and of strangers above `MOST_OF_STRANGERS`."""
        self._make_table()
        with self._database.writing(durable=False) as connection:
            for alike, most in ((~_of_strangers, MOST), (_of_strangers, MOST_OF_STRANGERS)):
                oldest = _newest_ids(alike, 1).offset(most).scalar_subquery()
                connection.execute(sa.delete(audit_log).where(alike, audit_log.c.id <= oldest))

    def newest(self) -> list[AuditEntry]:
        """Return the newest entries, newest first: `MOST_SHOWN`, and `MOST_SHOWN_OF_STRANGERS` of strangers."""
        self._make_table()
        shown = ((~_of_strangers, MOST_SHOWN), (_of_strangers, MOST_SHOWN_OF_STRANGERS))
        chosen = sa.or_(*(audit_log.c.id.in_(_newest_ids(alike, most)) for alike, most in shown))
        query = sa.select(audit_log).where(chosen).order_by(audit_log.c.id.desc())
        return records(AuditEntry, self._database.read(query))

    def _make_table(self) -> None:
        if not self._is_there:
            with self._database.writing() as connection:
                _metadata.create_all(connection)
            self._is_there = True


def _newest_ids(alike: sa.ColumnElement[bool], most: int) -> sa.Select[tuple[int]]:
    return sa.select(audit_log.c.id).where(alike).order_by(audit_log.c.id.desc()).limit(most)
