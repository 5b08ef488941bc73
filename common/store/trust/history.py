"""The history of corrections: every change of a state, with its time, its actor and its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.suggestions import State
from common.store.trust.tables import correction_events

LAB = "lab"  # the actor of changes that no person made


@dataclass(frozen=True)
class CorrectionEvent:
    """A change of a correction's state. `actor` is a client's address, the name of a key, or "lab"."""

    suggestion_id: str
    at: datetime
    state: str
    actor: str
    reason: str | None


class CorrectionEvents(StorePart):
    """The changes of all corrections."""

    def of(self, suggestion_id: str) -> list[CorrectionEvent]:
        """Return the history of a correction, oldest first."""
        c = correction_events.c
        found = self._database.read(sa.select(correction_events).where(c.suggestion_id == suggestion_id).order_by(c.id))
        return records(CorrectionEvent, found)

    def were_trained(self, suggestion_ids: Sequence[str], version: int) -> bool:
        """Return whether a version was noted as the one that learnt any of these corrections.

        If they wait again, the version was taken back, and a reviewer approved them: it is not theirs any more.
        """
        c = correction_events.c
        said = c.suggestion_id.in_(suggestion_ids), c.state == "trained", c.reason == _of_version(version)
        return bool(self._database.read(sa.select(c.id).where(*said).limit(1)))


def note_state(connection: sa.Connection, suggestion_ids: Sequence[str], state: State, value: Any) -> None:
    """Note a change that the loop itself makes; `Suggestions` calls this in the change's transaction.

    `value` is what says so in the store: the source of a received correction, the version of a trained one, or the
    reason of a refused or quarantined one. That Prefect has a correction is no change of what becomes of it.
    """
    match state:
        case "delivered":
            return
        case "received":
            note_events(connection, suggestion_ids, state, value or LAB)
        case "trained":
            note_events(connection, suggestion_ids, state, LAB, _of_version(value))
        case "waiting":
            note_events(connection, suggestion_ids, state, LAB)
        case "refused" | "quarantined" | "withdrawn":
            note_events(connection, suggestion_ids, state, LAB, value)


def note_events(
    connection: sa.Connection, suggestion_ids: Sequence[str], state: str, actor: str, reason: str | None = None
) -> None:
    """Note that corrections came into a state, except those whose last event says the same: a retry adds nothing."""
    last = _last_events(connection, suggestion_ids)
    new = [
        {"suggestion_id": each, "at": datetime.now(UTC), "state": state, "actor": actor, "reason": reason}
        for each in suggestion_ids
        if last.get(each) != (state, reason)
    ]
    if new:
        connection.execute(correction_events.insert(), new)


def _of_version(version: int) -> str:
    return f"version {version}"


def _last_events(connection: sa.Connection, suggestion_ids: Sequence[str]) -> Mapping[str, tuple[str, str | None]]:
    c = correction_events.c
    newest = sa.select(sa.func.max(c.id)).where(c.suggestion_id.in_(suggestion_ids)).group_by(c.suggestion_id)
    found = connection.execute(sa.select(c.suggestion_id, c.state, c.reason).where(c.id.in_(newest)))
    return {row.suggestion_id: (row.state, row.reason) for row in found}
