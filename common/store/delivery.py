"""The retry queue of suggestions, which go to Prefect, and of alerts, which go to a webhook."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.store.database import Database, StorePart

NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # the next attempt of a row that is given up
MOST_DOUBLINGS = 16  # of a pause; the longest pause comes long before


class RetryQueue(StorePart):
    """Rows of a table that are delivered once, and tried again until then.

    The table has an `id` and the columns `attempts`, `next_attempt_at` and `last_error`.
    """

    def __init__(self, database: Database, table: sa.Table, delivered: str, longest_pause: timedelta) -> None:
        """Use `table`, whose column `delivered` is null until a row is delivered."""
        super().__init__(database)
        self._table = table
        self._delivered = delivered
        self._longest_pause = longest_pause

    def is_due(self, now: datetime) -> sa.ColumnElement[bool]:
        """Return the condition that a row is not delivered yet and that the time of its next attempt has come."""
        next_attempt_at = self._table.c.next_attempt_at
        # An attempt that is further ahead than any pause was planned before somebody set the clock back.
        clock_was_set_back = (next_attempt_at > now + self._longest_pause) & (next_attempt_at < NEVER)
        return self._table.c[self._delivered].is_(None) & ((next_attempt_at <= now) | clock_was_set_back)

    def delivered(self, row_id: str | int, value: Any) -> None:
        """Write the value that says that a row is delivered, and clear its last error."""
        self._write(self._table.c.id == row_id, **{self._delivered: value}, last_error=None)

    def delivery_failed(self, row_id: str | int, error: str, next_attempt_at: datetime) -> None:
        """Count an attempt, and write why it failed and when the next one is due."""
        attempts = self._table.c.attempts + 1
        self._write(self._table.c.id == row_id, attempts=attempts, last_error=error, next_attempt_at=next_attempt_at)

    def _write(self, *conditions: sa.ColumnElement[bool], **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(self._table.update().where(*conditions).values(values))


def pause(attempts: int, first: timedelta, longest: timedelta, rng: random.Random) -> timedelta:
    """Return the time until the next attempt: the first pause doubled with each attempt, at most the longest.

    A random part, up to half of it, is left out, so that rows that failed together are not tried again together.
    """
    return min(first * 2.0 ** min(attempts, MOST_DOUBLINGS), longest) * rng.uniform(0.5, 1.0)
