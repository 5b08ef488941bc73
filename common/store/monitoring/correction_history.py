"""The corrections of a time, by state, class and version, for the monitor's page and metrics."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.suggestions import LEARNABLE, STATE_COLUMNS, State, Suggestion
from common.store.tables import judgements, predictions, suggestions


@dataclass(frozen=True)
class StateCount:
    """The number of a problem's corrections in one state, and the time at which the oldest of them came."""

    problem: str
    state: State
    suggestions: int
    oldest: datetime


@dataclass(frozen=True)
class LearntVersion:
    """A version that learnt from corrections, and the time at which the last of them came."""

    problem: str
    model_version: int
    last_received: datetime


@dataclass(frozen=True)
class VerdictCount:
    """The number of a problem's judgements with one verdict."""

    problem: str
    verdict: str
    judgements: int


class CorrectionHistory(StorePart):
    """The corrections of all problems, counted."""

    def newest(
        self, problem: str, since: datetime, until: datetime, limit: int, versions: Collection[int] = ()
    ) -> list[Suggestion]:
        """Return the newest corrections that came from `since` to before `until`, newest first.

        With `versions`, only corrections that one of them learnt from.
        """
        c = suggestions.c
        query = sa.select(suggestions).where(*_span(problem, since, until))
        if versions:
            query = query.where(c.trained_version.in_(versions))
        found = self._database.read(query.order_by(c.received_at.desc(), c.id).limit(limit))
        return records(Suggestion, found)

    def by_class(self, problem: str, since: datetime, until: datetime) -> Counter[tuple[str, State]]:
        """Return how many corrections of each class and state came from `since` to before `until`."""
        c = suggestions.c
        query = sa.select(c.class_name, _state(), sa.func.count().label("number"))
        found = self._database.read(query.where(*_span(problem, since, until)).group_by(c.class_name, "state"))
        return Counter({(row["class_name"], row["state"]): row["number"] for row in found})

    def by_state(self) -> list[StateCount]:
        """Return how many corrections are in each state; without states that no correction is in."""
        c = suggestions.c
        counted = sa.func.count().label("suggestions"), sa.func.min(c.received_at).label("oldest")
        query = sa.select(c.problem, _state(), *counted).group_by(c.problem, "state")
        return records(StateCount, self._database.read(query))

    def unsent(self, problem: str) -> int:
        """Return how many corrections wait because Prefect did not take them."""
        c = suggestions.c
        failed = c.row_number.is_(None), c.last_error.is_not(None), c.trained_version.is_(None), LEARNABLE
        query = sa.select(sa.func.count().label("number")).where(c.problem == problem, *failed)
        return int(self._database.read(query)[0]["number"])

    def answers(self, prediction_ids: Collection[str]) -> dict[str, str]:
        """Return the class that the champion answered, for each of these predictions that the log has."""
        c = predictions.c
        query = sa.select(c.id, c.class_name).where(c.id.in_(list(prediction_ids)), c.role == "champion")
        return {row["id"]: row["class_name"] for row in self._database.read(query)}

    def verdicts_of(self, judgement_ids: Collection[str]) -> dict[str, str]:
        """Return the gate's verdict of each of these judgements."""
        c = judgements.c
        query = sa.select(c.id, c.verdict).where(c.id.in_(list(judgement_ids)))
        return {row["id"]: row["verdict"] for row in self._database.read(query)}

    def versions(self) -> list[LearntVersion]:
        """Return the versions that learnt from corrections, by problem and version."""
        c = suggestions.c
        last = sa.func.max(c.received_at).label("last_received")
        query = sa.select(c.problem, c.trained_version.label("model_version"), last)
        learnt = query.where(c.trained_version.is_not(None)).group_by(c.problem, c.trained_version)
        return records(LearntVersion, self._database.read(learnt.order_by(c.problem, c.trained_version)))

    def verdicts(self) -> list[VerdictCount]:
        """Return how many candidates the gate has judged with each verdict."""
        c = judgements.c
        query = sa.select(c.problem, c.verdict, sa.func.count().label("judgements")).group_by(c.problem, c.verdict)
        return records(VerdictCount, self._database.read(query))


def _span(problem: str, since: datetime, until: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    c = suggestions.c
    return c.problem == problem, c.received_at >= since, c.received_at < until


def _state() -> sa.Label[str]:
    """Return `Suggestion.state` in SQL."""
    columns = {state: suggestions.c[name] for state, name in STATE_COLUMNS.items()}
    rules = [(column.is_not(None) if column.nullable else column, state) for state, column in columns.items()]
    return sa.case(*rules, else_="received").label("state")
