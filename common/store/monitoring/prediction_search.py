"""The search in the prediction log, for the monitor's page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from common.store.database import Database, StorePart
from common.store.predictions import LoggedPrediction, LoggedPredictions
from common.store.tables import ROLES, predictions

MOST_MATCHES = 200  # ids with the same beginning that are read one by one
# Ids have hexadecimal digits and dashes: this string comes after all of them, in every collation.
LAST = "z" * 36


@dataclass(frozen=True)
class Search:
    """Predictions of one problem from `since` to before `until`.

    `versions` limits the versions, unless it is empty; `begins` is the beginning of the ids.
    """

    problem: str
    since: datetime
    until: datetime
    versions: Sequence[int] = ()
    begins: str = ""

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """Return the search as conditions."""
        c = predictions.c
        found = [c.problem == self.problem, c.predicted_at >= self.since, c.predicted_at < self.until]
        if self.versions:
            found.append(c.model_version.in_(self.versions))
        return found + _begin_with(self.begins) if self.begins else found

    def matches(self, found: LoggedPrediction) -> bool:
        """Return whether a prediction meets the conditions."""
        row = found.row
        is_there = row["problem"] == self.problem and self.since <= row["predicted_at"] < self.until
        is_there = is_there and row["id"].startswith(self.begins)
        return is_there and (not self.versions or row["model_version"] in self.versions)


class PredictionSearch(StorePart):
    """Finds rows of the log by their time, versions and ids."""

    def __init__(self, database: Database, log: LoggedPredictions) -> None:
        """Search the `log` in `database`."""
        super().__init__(database)
        self._log = log

    def latest(self, search: Search, limit: int) -> list[LoggedPrediction]:
        """Return the newest predictions that match, in all roles, newest first."""
        c = predictions.c
        if search.begins and len(ids := self._beginning(search.begins)) <= MOST_MATCHES:
            # By the ids alone: a query by time, too, would read the whole log in the order of time.
            alike = self._log.read(self._log.query().where(c.id.in_(ids), c.role.in_(ROLES)).order_by(c.id, c.role))
            kept = [each for each in alike if search.matches(each)]
            return sorted(kept, key=lambda each: each.row["predicted_at"], reverse=True)[:limit]
        query = self._log.query().where(*search.clauses())
        return self._log.read(query.order_by(c.predicted_at.desc(), c.id, c.role).limit(limit))

    def _beginning(self, begins: str) -> list[str]:
        """Return the ids that begin so; at most one more than `MOST_MATCHES`."""
        c = predictions.c
        query = sa.select(c.id).where(*_begin_with(begins)).distinct()
        return [row["id"] for row in self._database.read(query.limit(MOST_MATCHES + 1))]


def _begin_with(begins: str) -> list[sa.ColumnElement[bool]]:
    # The index serves the first two. A collation may put other ids between them, so the third decides.
    c = predictions.c.id
    return [c >= begins, c <= begins + LAST, c.startswith(begins, autoescape=True)]
