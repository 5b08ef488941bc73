"""Where versions, answers and corrections come from, and where they led. No query scans the prediction log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.judgements import JudgementRecord
from common.store.suggestions import STATE_COLUMNS, State
from common.store.tables import Role, feedback, judgements, prediction_counts, predictions, suggestions
from common.store.trust.tables import version_corrections, vettings, withdrawals


@dataclass(frozen=True)
class SourcedTruth:
    """The ground truth of a prediction, and from whom it came: the name of a key, or a client's address."""

    class_name: str
    received_at: datetime
    source: str | None
    trusted: bool


@dataclass(frozen=True)
class SourcedCorrection:
    """A correction, from whom it came, who reviewed it, and the answer that it corrected.

    Attributes:
        suggestion_id: its id.
        class_name: the class that its sender says; empty if it was erased.
        received_at: when it came, in UTC.
        source: the name of a key, or the sender's address.
        trusted: whether it came with a key.
        outcome: the outcome of its vetting; None if it was not vetted.
        reviewer: the name of the reviewer's key; None if nobody has reviewed it.
        trained_version: the version to which it was new.
        prediction_id: the prediction that it names.
        answered: the champion's class for this prediction; None if the log does not have it.
        answered_by: the version that gave this answer.
        state: how far it has come.
    """

    suggestion_id: str
    class_name: str
    received_at: datetime
    source: str | None
    trusted: bool
    outcome: str | None
    reviewer: str | None
    trained_version: int | None
    prediction_id: str | None
    answered: str | None
    answered_by: int | None
    state: State


@dataclass(frozen=True)
class Review:
    """The vetting of a correction, and its review."""

    outcome: str
    rule: str
    number: float | None
    vetted_at: datetime
    reviewer: str | None
    reviewed_at: datetime | None
    note: str | None


@dataclass(frozen=True)
class TakenBack:
    """The withdrawal of a correction; `version` is the one that serves without it."""

    requested_at: datetime
    actor: str
    closed_at: datetime | None
    version: int | None
    outcome: str | None


@dataclass(frozen=True)
class DayCount:
    """The number of rows that a version answered in a role on a day, in UTC."""

    day: date
    model_version: int
    role: Role
    predictions: int


class Lineage(StorePart):
    """The questions about origin and effect."""

    def truth(self, prediction_id: str) -> SourcedTruth | None:
        """Return the ground truth of a prediction; None if nobody has sent it."""
        query = sa.select(feedback).where(feedback.c.prediction_id == prediction_id)
        return next(iter(records(SourcedTruth, self._database.read(query))), None)

    def correction(self, suggestion_id: str) -> SourcedCorrection | None:
        """Return a correction; None for an unknown id."""
        return next(iter(self._corrections(suggestions.c.id == suggestion_id, limit=1)), None)

    def learnt(self, problem: str, version: int, after: str, limit: int) -> list[SourcedCorrection]:
        """Return the corrections that a version has learnt, by id from `after` on, oldest first."""
        known = version_corrections.c
        ids = sa.select(known.suggestion_id).where(
            known.problem == problem, known.version == version, known.suggestion_id > after
        )
        return self._corrections(suggestions.c.id.in_(ids.order_by(known.suggestion_id).limit(limit)), limit=limit)

    def new_to(self, problem: str, version: int, after: str, limit: int) -> list[SourcedCorrection]:
        """Return the corrections that a version was the first to learn, by id from `after` on, oldest first."""
        c = suggestions.c
        return self._corrections(c.problem == problem, c.trained_version == version, c.id > after, limit=limit)

    def count_new_to(self, problem: str, version: int) -> int:
        """Return how many corrections a version was the first to learn."""
        return self._count(suggestions.c.problem == problem, suggestions.c.trained_version == version)

    def naming(self, prediction_id: str, limit: int) -> list[SourcedCorrection]:
        """Return the first corrections of a prediction, oldest first."""
        return self._corrections(suggestions.c.prediction_id == prediction_id, limit=limit)

    def count_naming(self, prediction_id: str) -> int:
        """Return how many corrections name a prediction."""
        return self._count(suggestions.c.prediction_id == prediction_id)

    def review(self, suggestion_id: str) -> Review | None:
        """Return the vetting and the review of a correction; None if it was not vetted."""
        query = sa.select(vettings).where(vettings.c.suggestion_id == suggestion_id)
        return next(iter(records(Review, self._database.read(query))), None)

    def withdrawal(self, suggestion_id: str) -> TakenBack | None:
        """Return the withdrawal of a correction; None if nobody has taken it back."""
        query = sa.select(withdrawals).where(withdrawals.c.suggestion_id == suggestion_id)
        return next(iter(records(TakenBack, self._database.read(query))), None)

    def judgement(self, problem: str, version: int) -> JudgementRecord | None:
        """Return the newest judgement that led to a version; None if there is none."""
        c = judgements.c
        query = sa.select(judgements).where(c.problem == problem, c.version == version)
        found = self._database.read(query.order_by(c.judged_at.desc(), c.id.desc()).limit(1))
        return next(iter(records(JudgementRecord, found)), None)

    def answers(self, problem: str, model_name: str, versions: Sequence[int], limit: int) -> list[DayCount]:
        """Return how many rows these versions answered, by day, version and role; the newest days first."""
        c = prediction_counts.c
        keys = c.day, c.model_version, c.role
        query = sa.select(*keys, sa.func.sum(c.predictions).label("predictions"))
        query = query.where(*_of(problem, model_name, versions)).group_by(*keys).order_by(c.day.desc(), *keys[1:])
        return records(DayCount, self._database.read(query.limit(limit)))

    def count_answers(self, problem: str, model_name: str, versions: Sequence[int]) -> Mapping[Role, int]:
        """Return how many rows these versions answered, by role."""
        c = prediction_counts.c
        query = sa.select(c.role, sa.func.sum(c.predictions).label("predictions"))
        found = self._database.read(query.where(*_of(problem, model_name, versions)).group_by(c.role))
        return {row["role"]: row["predictions"] for row in found}

    def _count(self, *conditions: sa.ColumnElement[bool]) -> int:
        [row] = self._database.read(sa.select(sa.func.count().label("corrections")).where(*conditions))
        return int(row["corrections"])

    def _corrections(self, *conditions: sa.ColumnElement[bool], limit: int) -> list[SourcedCorrection]:
        c, answer = suggestions.c, predictions.c
        kept = [c[each.name] for each in fields(SourcedCorrection) if each.name in c]
        joined = suggestions.outerjoin(vettings, vettings.c.suggestion_id == c.id).outerjoin(
            predictions, (answer.id == c.prediction_id) & (answer.role == "champion")
        )
        query = sa.select(
            c.id.label("suggestion_id"),
            *kept,
            *(c[name] for name in STATE_COLUMNS.values() if name != "trained_version"),
            vettings.c.outcome,
            vettings.c.reviewer,
            answer.class_name.label("answered"),
            answer.model_version.label("answered_by"),
        )
        found = self._database.read(query.select_from(joined).where(*conditions).order_by(c.id).limit(limit))
        return [_sourced(row) for row in found]


def _sourced(row: sa.RowMapping) -> SourcedCorrection:
    values: dict[str, Any] = {each.name: row[each.name] for each in fields(SourcedCorrection) if each.name in row}
    reached = (state for state, column in STATE_COLUMNS.items() if row[column] not in {None, False})
    return SourcedCorrection(**values, state=next(reached, "received"))


def _of(problem: str, model_name: str, versions: Sequence[int]) -> tuple[sa.ColumnElement[bool], ...]:
    c = prediction_counts.c
    return c.problem == problem, c.model_name == model_name, c.model_version.in_(versions)
