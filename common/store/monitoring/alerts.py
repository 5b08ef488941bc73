"""Alerts, from the moment a condition is found until it ends, and their delivery to a webhook."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.store.database import Database, records
from common.store.delivery import RetryQueue
from common.store.monitoring.tables import alerts

Breach = tuple[str, str]  # kind and subject
LONGEST_PAUSE = timedelta(minutes=5)  # between two attempts to post an alert


@dataclass(frozen=True)
class Alert:
    """A condition that began, was last seen, and ended at these times; the alert is open while `ended_at` is None.

    `posted_at`, `attempts` and `last_error` are about the webhook.
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
    """The alerts that began, and the alerts that ended."""

    began: list[Alert]
    ended: list[Alert]


class Alerts(RetryQueue):
    """The alerts of every problem. One is delivered when the webhook has taken it."""

    def __init__(self, database: Database) -> None:
        """Use `database`."""
        super().__init__(database, alerts, "posted_at", LONGEST_PAUSE)

    def settle(self, problem: str, kinds: AbstractSet[str], found: Mapping[Breach, str], at: datetime) -> Changed:
        """Begin an alert for each new breach, end the alerts whose breach is gone, durably; return the changes.

        Args:
            problem: whose alerts; "" for conditions of no problem.
            kinds: the kinds that the caller looked for: alerts of other kinds stay as they are.
            found: the breaches, with a message for each.
            at: when the caller looked.
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
        """Return the open alerts of a problem, or of all, oldest first."""
        conditions = [alerts.c.ended_at.is_(None), *([] if problem is None else [alerts.c.problem == problem])]
        return self._read(sa.select(alerts).where(*conditions).order_by(alerts.c.id))

    def between(self, problem: str, since: datetime, until: datetime, limit: int) -> list[Alert]:
        """Return the newest alerts that were open at any time from `since` to before `until`, newest first."""
        c = alerts.c
        lasted = c.ended_at.is_(None) | (c.ended_at >= since)
        query = sa.select(alerts).where(c.problem == problem, c.began_at < until, lasted)
        return self._read(query.order_by(c.id.desc()).limit(limit))

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many alerts have begun, by problem and kind."""
        c = alerts.c
        query = sa.select(c.problem, c.kind, sa.func.count().label("alerts")).group_by(c.problem, c.kind)
        return {(row["problem"], row["kind"]): row["alerts"] for row in self._database.read(query)}

    def due(self, now: datetime, limit: int) -> list[Alert]:
        """Return alerts that are not posted yet and whose next attempt is due, oldest first."""
        query = sa.select(alerts).where(self.is_due(now))
        return self._read(query.order_by(alerts.c.id).limit(limit))

    def _read(self, query: sa.Select[Any]) -> list[Alert]:
        return records(Alert, self._database.read(query))


def _new(problem: str, breach: Breach, message: str, at: datetime) -> dict[str, Any]:
    kind, subject = breach
    names = {"problem": problem, "kind": kind, "subject": subject, "message": message}
    return {**names, "began_at": at, "seen_at": at, "next_attempt_at": at}


def _with(connection: sa.Connection, ids: list[int]) -> list[Alert]:
    query = sa.select(alerts).where(alerts.c.id.in_(ids)).order_by(alerts.c.id)
    return records(Alert, connection.execute(query).mappings())
