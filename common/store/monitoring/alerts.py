"""Episodes in which something was out of bounds, and their way to whoever wants to know."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import Database
from common.store.tables import alerts

Breach = tuple[str, str]  # kind and subject


@dataclass(frozen=True)
class Alert:
    """An episode: since when, seen when for the last time, and over when; open while `ended_at` is None.

    `posted_at`, `attempts` and `last_error` tell of the webhook.
    """

    id: int
    problem: str
    kind: str
    subject: str
    message: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    posted_at: datetime | None
    attempts: int
    last_error: str | None


@dataclass(frozen=True)
class Changed:
    """The episodes that have begun, and those that have ended."""

    began: list[Alert]
    ended: list[Alert]


class Alerts:
    """The episodes of every problem."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def settle(self, problem: str, kinds: AbstractSet[str], found: Mapping[Breach, str], at: datetime) -> Changed:
        """Make the open episodes of these kinds those that are found, durably, and return what has changed.

        Args:
            problem: whose episodes; "" for what concerns no problem.
            kinds: which kinds have been looked for: episodes of others stay as they are.
            found: what is out of bounds, with a message for each.
            at: when.
        """
        c = alerts.c
        is_open = sa.select(alerts).where(c.problem == problem, c.kind.in_(kinds), c.ended_at.is_(None))
        with self._database.writing() as connection:
            there = {(row.kind, row.subject): row for row in connection.execute(is_open)}
            for breach, row in there.items():
                seen = {"seen_at": at, "message": found[breach]} if breach in found else {"ended_at": at}
                connection.execute(alerts.update().where(c.id == row.id).values(seen))
            new = [_new(problem, breach, found[breach], at) for breach in found if breach not in there]
            ids = [connection.execute(alerts.insert().values(row)).inserted_primary_key for row in new]
            ended = [there[breach].id for breach in there if breach not in found]
            return Changed(_with(connection, [key[0] for key in ids if key]), _with(connection, ended))

    def open(self, problem: str | None = None) -> list[Alert]:
        """Return the open episodes of a problem, or of all, oldest first."""
        conditions = [alerts.c.ended_at.is_(None), *([] if problem is None else [alerts.c.problem == problem])]
        return [_alert(row) for row in self._database.read(sa.select(alerts).where(*conditions).order_by(alerts.c.id))]

    def between(self, problem: str, since: datetime, until: datetime, limit: int) -> list[Alert]:
        """Return the newest episodes that were open at any time from `since` to before `until`, newest first."""
        c = alerts.c
        lasted = c.ended_at.is_(None) | (c.ended_at >= since)
        query = sa.select(alerts).where(c.problem == problem, c.began_at < until, lasted)
        return [_alert(row) for row in self._database.read(query.order_by(c.id.desc()).limit(limit))]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many episodes have begun, by problem and kind."""
        c = alerts.c
        query = sa.select(c.problem, c.kind, sa.func.count().label("episodes")).group_by(c.problem, c.kind)
        return {(row["problem"], row["kind"]): row["episodes"] for row in self._database.read(query)}

    def due(self, now: datetime, limit: int) -> list[Alert]:
        """Return episodes that are not posted yet and whose next attempt is due, oldest first."""
        c = alerts.c
        query = sa.select(alerts).where(c.posted_at.is_(None), c.next_attempt_at <= now).order_by(c.id).limit(limit)
        return [_alert(row) for row in self._database.read(query)]

    def posted(self, alert_id: int, at: datetime) -> None:
        """Note that an episode has been posted."""
        self._update(alert_id, posted_at=at, last_error=None)

    def post_failed(self, alert_id: int, error: str, next_attempt_at: datetime) -> None:
        """Note why posting failed and when to try again."""
        self._update(alert_id, attempts=alerts.c.attempts + 1, last_error=error, next_attempt_at=next_attempt_at)

    def _update(self, alert_id: int, **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(alerts.update().where(alerts.c.id == alert_id).values(values))


def _new(problem: str, breach: Breach, message: str, at: datetime) -> dict[str, Any]:
    kind, subject = breach
    names = {"problem": problem, "kind": kind, "subject": subject, "message": message}
    return {**names, "began_at": at, "seen_at": at, "next_attempt_at": at}


def _with(connection: sa.Connection, ids: list[int]) -> list[Alert]:
    query = sa.select(alerts).where(alerts.c.id.in_(ids)).order_by(alerts.c.id)
    return [_alert(row) for row in connection.execute(query).mappings()]


def _alert(row: sa.RowMapping) -> Alert:
    return Alert(**{name: row[name] for name in Alert.__dataclass_fields__})
