"""The search in the prediction log, for the monitor's page.

A page begins after the last row of the page before, and looks at no more than `MOST_LOOKED_AT` rows. So it costs the
same on page one and on page ten thousand, with a thousand rows and with a million.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Self

import sqlalchemy as sa

from common.store.database import Database, StorePart
from common.store.predictions import LoggedPrediction, LoggedPredictions
from common.store.tables import ROLES, feedback, predictions

MOST_MATCHES = 200  # ids with the same beginning that are read one by one
MOST_LOOKED_AT = 2_000  # rows that one page may look at for those that it wants
# Ids have hexadecimal digits and dashes: this string comes after all of them, in every collation.
LAST = "z" * 36

Only = Literal["", "wrong", "outlier", "unlabelled"]


class Position(NamedTuple):
    """The place of a row in the log, which is sorted by time, the newest first, and then by id and role."""

    at: datetime
    id: str
    role: str

    def as_text(self) -> str:
        """Return the position for a URL."""
        return f"{self.at.isoformat()}~{self.role}~{self.id}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the position that `as_text` wrote.

        Raises:
            ValueError: the text is no position.
        """
        moment, role, prediction_id = text.split("~", 2)
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or role not in ROLES:
            raise ValueError(f"{text!r} is no position in the log")
        return cls(at.astimezone(UTC), prediction_id, role)


@dataclass(frozen=True)
class Search:
    """Predictions of one problem from `since` to before `until`.

    Attributes:
        versions: the versions that answered; empty for all.
        begins: the beginning of the ids.
        only: rows whose answer is not the ground truth, outliers, or rows without ground truth; "" for all.
        class_name: the class that was answered; "" for all.
        below: the confidence is below it; None for all.
        after: the rows come after this position.
    """

    problem: str
    since: datetime
    until: datetime
    versions: Sequence[int] = ()
    begins: str = ""
    only: Only = ""
    class_name: str = ""
    below: float | None = None
    after: Position | None = None

    def span(self) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that the index of the log finds by itself."""
        c = predictions.c
        found = [c.problem == self.problem, c.predicted_at >= self.since]
        if self.after is None or self.after.at >= self.until:
            found.append(c.predicted_at < self.until)
        if self.after:
            at, prediction_id, role = self.after
            later_id = sa.or_(c.id > prediction_id, sa.and_(c.id == prediction_id, c.role > role))
            # In place of the limit above: with both, SQLite begins at the newest row, whatever the page.
            found += [c.predicted_at <= at, sa.or_(c.predicted_at < at, later_id)]
        return found

    def filters(self, table: Any) -> list[sa.ColumnElement[bool]]:
        """Return the other conditions on the columns of `table`, which is joined with the ground truths."""
        c, truth = table.c, feedback.c.class_name
        only = {"wrong": truth != c.class_name, "outlier": c.is_outlier, "unlabelled": truth.is_(None)}
        return [
            *([c.model_version.in_(self.versions)] if self.versions else []),
            *([only[self.only]] if self.only else []),
            *([c.class_name == self.class_name] if self.class_name else []),
            *([] if self.below is None else [c.confidence < self.below]),
        ]

    def matches(self, found: LoggedPrediction) -> bool:
        """Return whether a prediction meets the conditions."""
        row = found.row
        only = {
            "wrong": found.truth is not None and found.truth != row["class_name"],
            "outlier": bool(row["is_outlier"]),
            "unlabelled": found.truth is None,
            "": True,
        }
        return (
            row["problem"] == self.problem
            and self.since <= row["predicted_at"] < self.until
            and row["id"].startswith(self.begins)
            and (not self.versions or row["model_version"] in self.versions)
            and only[self.only]
            and self.class_name in {"", row["class_name"]}
            and (self.below is None or (row["confidence"] is not None and row["confidence"] < self.below))
            and (self.after is None or _place(found) > _sorted(self.after))
        )


@dataclass(frozen=True)
class FoundPage:
    """One page of a search.

    Attributes:
        rows: the newest rows that match.
        after: the position after which the next page begins; None if there is nothing more to look at.
        is_cut: whether the page has looked at as many rows as it may, and may have missed older ones.
    """

    rows: list[LoggedPrediction]
    after: Position | None = None
    is_cut: bool = False


class PredictionSearch(StorePart):
    """Finds rows of the log by their time, versions, ids, and by what became of them."""

    def __init__(self, database: Database, log: LoggedPredictions) -> None:
        """Search the `log` in `database`."""
        super().__init__(database)
        self._log = log

    def page(self, search: Search, limit: int) -> FoundPage:
        """Return the newest predictions that match, in all roles, newest first."""
        c = predictions.c
        if search.begins and len(ids := self._beginning(search.begins)) <= MOST_MATCHES:
            # By the ids alone: a query by time, too, would read the whole log in the order of time.
            alike = self._log.read(self._log.query().where(c.id.in_(ids), c.role.in_(ROLES)))
            return _cut(sorted((each for each in alike if search.matches(each)), key=_place), limit)
        if not search.filters(predictions):
            begins = _begin_with(search.begins) if search.begins else []
            query = self._log.query().where(*search.span(), *begins).order_by(*_order(predictions))
            return _cut(self._log.read(query.limit(limit + 1)), limit)
        return self._filtered(search, limit)

    def _filtered(self, search: Search, limit: int) -> FoundPage:
        begins = _begin_with(search.begins) if search.begins else []
        names = ("id", "role", "predicted_at", "model_version", "class_name", "confidence", "is_outlier")
        newest = sa.select(*(predictions.c[name] for name in names)).where(*search.span(), *begins)
        looked_at = newest.order_by(*_order(predictions)).limit(MOST_LOOKED_AT).subquery("looked_at")
        joined = sa.select(looked_at).outerjoin(feedback, feedback.c.prediction_id == looked_at.c.id)
        query = joined.where(*search.filters(looked_at)).order_by(*_order(looked_at)).limit(limit + 1)
        keys = [Position(row["predicted_at"], row["id"], row["role"]) for row in self._database.read(query)]
        found = _cut(self._rows(keys), limit)
        if found.after:
            return found
        last = newest.order_by(*_order(predictions)).offset(MOST_LOOKED_AT - 1).limit(1)
        ends = [Position(row["predicted_at"], row["id"], row["role"]) for row in self._database.read(last)]
        return replace(found, after=ends[0], is_cut=True) if ends else found

    def _rows(self, keys: Sequence[Position]) -> list[LoggedPrediction]:
        """Return the rows at these positions, in their order."""
        c = predictions.c
        found = self._log.read(self._log.query().where(c.id.in_([key.id for key in keys]), c.role.in_(ROLES)))
        by_key: dict[tuple[str, str], LoggedPrediction] = {(each.row["id"], each.row["role"]): each for each in found}
        return [by_key[key.id, key.role] for key in keys if (key.id, key.role) in by_key]  # one may have been erased

    def _beginning(self, begins: str) -> list[str]:
        """Return the ids that begin so; at most one more than `MOST_MATCHES`."""
        c = predictions.c
        query = sa.select(c.id).where(*_begin_with(begins)).distinct()
        return [row["id"] for row in self._database.read(query.limit(MOST_MATCHES + 1))]


def _cut(found: list[LoggedPrediction], limit: int) -> FoundPage:
    """Return the first rows; if there are more, with the position of the last one."""
    rows = found[:limit]
    last = rows[-1].row if len(found) > limit else None
    return FoundPage(rows, Position(last["predicted_at"], last["id"], last["role"]) if last else None)


def _order(table: Any) -> tuple[sa.ColumnElement[Any], ...]:
    return table.c.predicted_at.desc(), table.c.id, table.c.role


def _place(found: LoggedPrediction) -> tuple[float, str, str]:
    return _sorted(Position(found.row["predicted_at"], found.row["id"], found.row["role"]))


def _sorted(position: Position) -> tuple[float, str, str]:
    """Return a key that sorts as the log is sorted."""
    return -position.at.timestamp(), position.id, position.role


def _begin_with(begins: str) -> list[sa.ColumnElement[bool]]:
    # The index serves the first two. A collation may put other ids between them, so the third decides.
    c = predictions.c.id
    return [c >= begins, c <= begins + LAST, c.startswith(begins, autoescape=True)]
