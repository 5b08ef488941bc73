"""Corrections that people have sent, and how far each has come."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import sqlalchemy as sa

from common.store.database import Database
from common.store.tables import suggestions

State = Literal["received", "delivered", "waiting", "trained", "refused"]
STATES: tuple[State, ...] = get_args(State)
TRAIN_AT = 5  # so many waiting suggestions make a new version
Marks = Mapping[str, sa.ColumnElement[bool]]
MAX_PAUSE = timedelta(seconds=30)  # between two attempts to hand a suggestion over


@dataclass(frozen=True)
class Suggestion:
    """A person's correction: these features are of that class. `features` are by name."""

    id: str
    problem: str
    features: Mapping[str, float | str]
    class_name: str
    prediction_id: str | None = None
    flow_run_id: str | None = None
    attempts: int = 0
    last_error: str | None = None
    row_number: int | None = None
    written: bool = False
    trained_version: int | None = None
    refused_because: str | None = None
    received_at: datetime | None = field(default=None, compare=False)

    @property
    def state(self) -> State:
        """How far it has come."""
        return _state(
            refused=self.refused_because is not None,
            trained=self.trained_version is not None,
            written=self.written,
            delivered=self.flow_run_id is not None,
        )


@dataclass(frozen=True)
class Standing:
    """The suggestions of a problem in one state: how many, and when the oldest of them came."""

    problem: str
    state: State
    suggestions: int
    oldest: datetime


@dataclass(frozen=True)
class Learnt:
    """A version that has learnt from suggestions, and when the last of them came."""

    problem: str
    model_version: int
    last_received: datetime


class Suggestions:
    """The corrections of all problems."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    def add(self, suggestion: Suggestion) -> None:
        """Keep a new suggestion, durably; one that is there already stays as it is."""
        with self._database.writing() as connection:
            add_suggestion(connection, suggestion)

    def get(self, suggestion_id: str) -> Suggestion | None:
        """Return a suggestion; None for an unknown id."""
        found = self._database.read(sa.select(suggestions).where(suggestions.c.id == suggestion_id))
        return _suggestion(found[0]) if found else None

    def due(self, problem: str, now: datetime, limit: int) -> list[Suggestion]:
        """Return suggestions that have no flow run yet and whose next attempt is due, oldest first."""
        c = suggestions.c
        # Further ahead than any pause: the clock has been set back since.
        is_due = (c.next_attempt_at <= now) | (c.next_attempt_at > now + MAX_PAUSE)
        return self._without_row(problem, limit, c.flow_run_id.is_(None), is_due)

    def delivered(self, suggestion_id: str, flow_run_id: str) -> None:
        """Note the flow run that a suggestion has started."""
        self._update(suggestion_id, flow_run_id=flow_run_id, last_error=None)

    def delivery_failed(self, suggestion_id: str, error: str, next_attempt_at: datetime) -> None:
        """Note why an attempt failed and when to try again."""
        self._update(
            suggestion_id, attempts=suggestions.c.attempts + 1, last_error=error, next_attempt_at=next_attempt_at
        )

    def join(self, problem: str, flow_run_id: str) -> None:
        """Note a flow run for all suggestions that have no row in finetune.csv yet: it will take them in.

        Nothing is noted once the run has rows for all of its own: then it may have looked for the last time.
        """
        c, without_row = suggestions.c, _without_row(problem)
        with self._database.writing() as connection:
            one_of_its_own = sa.select(c.id).where(*without_row, c.flow_run_id == flow_run_id).limit(1)
            if connection.execute(one_of_its_own).first():
                noted = suggestions.update().values(flow_run_id=flow_run_id, last_error=None)
                connection.execute(noted.where(*without_row))

    def handed_over(self, problem: str, limit: int) -> list[Suggestion]:
        """Return delivered suggestions that have no row in finetune.csv yet, oldest first."""
        return self._without_row(problem, limit, suggestions.c.flow_run_id.is_not(None))

    def without_row(self, problem: str, limit: int) -> list[Suggestion]:
        """Return suggestions that have no row in finetune.csv yet, delivered or not, oldest first."""
        return self._without_row(problem, limit)

    def reserve_row(self, *reserved: Suggestion) -> None:
        """Note `row_number`, the row of finetune.csv that a suggestion is about to be written to; for all or none.

        `flow_run_id` is the run that writes it, if it has one.
        """
        c = suggestions.c
        with self._database.writing() as connection:
            for each in reserved:
                run = sa.func.coalesce(each.flow_run_id, c.flow_run_id)
                values = {"row_number": each.row_number, "flow_run_id": run, "last_error": None}
                connection.execute(suggestions.update().where(c.id == each.id).values(values))

    def row_written(self, *suggestion_ids: str) -> None:
        """Note that the reserved rows are in the file."""
        self._update(*suggestion_ids, written=True)

    def unfinished_rows(self, problem: str) -> list[Suggestion]:
        """Return suggestions with a reserved row that may or may not be in the file, by row."""
        return self._rows(problem, suggestions.c.written.is_(False))

    def waiting(self, problem: str) -> list[Suggestion]:
        """Return the suggestions in finetune.csv that no fine-tuning has settled, by row."""
        c = suggestions.c
        return self._rows(problem, c.written, c.trained_version.is_(None), c.refused_because.is_(None))

    def in_hand(self, problem: str) -> Suggestion | None:
        """Return a suggestion whose flow run has something to do: to write it, or to learn it with others.

        Of those that wait for a training, the run of the last one is to see to it. None if there is nothing to do.
        """
        if handed_over := self.handed_over(problem, limit=1):
            return handed_over[0]
        waiting = self.waiting(problem)
        return waiting[-1] if len(waiting) >= TRAIN_AT else None

    def moved(self, run_id: str, other_run_id: str) -> None:
        """Note that another flow run does what is left to do for the suggestions of the first."""
        self._update_unsettled(run_id, flow_run_id=other_run_id, last_error=None)

    def run_lost(self, run_id: str, error: str) -> None:
        """Note, at the suggestions of a flow run that will do nothing more for them, why there is no other one yet."""
        self._update_unsettled(run_id, last_error=error)

    def trained(self, suggestion_ids: list[str], version: int) -> None:
        """Note the version that has learnt from these suggestions."""
        self._update(*suggestion_ids, trained_version=version)

    def refused(self, suggestion_ids: list[str], reason: str) -> None:
        """Note why these suggestions have led to no version."""
        self._update(*suggestion_ids, refused_because=reason)

    def has_learnt(self, problem: str, version: int) -> bool:
        """Return whether a version is noted as having learnt any suggestion."""
        c = suggestions.c
        query = sa.select(c.id).where(c.problem == problem, c.trained_version == version)
        return bool(self._database.read(query.limit(1)))

    def taken_back(self, problem: str, champion: int, since: datetime) -> list[Suggestion]:
        """Return the suggestions that came after `since` and that a version newer than the champion has learnt."""
        c = suggestions.c
        newer = c.trained_version > champion, c.received_at > since, c.refused_because.is_(None)
        return [
            _suggestion(row) for row in self._database.read(sa.select(suggestions).where(c.problem == problem, *newer))
        ]

    def rows_of_refused(self, problem: str) -> list[Suggestion]:
        """Return refused suggestions that are in finetune.csv still, by row."""
        return self._rows(problem, suggestions.c.written, suggestions.c.refused_because.is_not(None))

    def rows_to_keep(self, problem: str) -> list[Suggestion]:
        """Return the suggestions in finetune.csv that are not refused, by row."""
        return self._rows(problem, suggestions.c.written, suggestions.c.refused_because.is_(None))

    def rows_removed(self, suggestion_ids: list[str]) -> None:
        """Note that these suggestions are in finetune.csv no longer."""
        self._update(*suggestion_ids, row_number=None, written=False)

    def newest(
        self, problem: str, since: datetime, until: datetime, limit: int, versions: Collection[int] = ()
    ) -> list[Suggestion]:
        """Return the newest suggestions that came from `since` to before `until`, newest first.

        With `versions`, only those that one of them has learnt from.
        """
        c = suggestions.c
        query = sa.select(suggestions).where(*_span(problem, since, until))
        if versions:
            query = query.where(c.trained_version.in_(versions))
        return [
            _suggestion(row) for row in self._database.read(query.order_by(c.received_at.desc(), c.id).limit(limit))
        ]

    def by_class(self, problem: str, since: datetime, until: datetime) -> Counter[tuple[str, State]]:
        """Return how many suggestions of each class, and in which state, came from `since` to before `until`."""
        c, marks = suggestions.c, _marks()
        query = sa.select(c.class_name, *_labelled(marks), sa.func.count().label("number"))
        grouped = query.where(*_span(problem, since, until)).group_by(c.class_name, *marks.values())
        found: Counter[tuple[str, State]] = Counter()
        for row in self._database.read(grouped):
            found[row["class_name"], _state_of(row, marks)] += row["number"]
        return found

    def standings(self) -> list[Standing]:
        """Return how many suggestions are in which state; states in which there is none are left out."""
        c, marks = suggestions.c, _marks()
        counted = sa.func.count().label("number"), sa.func.min(c.received_at).label("oldest")
        query = sa.select(c.problem, *_labelled(marks), *counted)
        found: dict[tuple[str, State], Standing] = {}
        for row in self._database.read(query.group_by(c.problem, *marks.values())):
            key = row["problem"], _state_of(row, marks)
            now = Standing(*key, row["number"], row["oldest"])
            found[key] = _together(found[key], now) if key in found else now
        return list(found.values())

    def learnt(self) -> list[Learnt]:
        """Return the versions that have learnt from suggestions, by problem and version."""
        c = suggestions.c
        last = sa.func.max(c.received_at).label("last")
        query = sa.select(c.problem, c.trained_version, last).where(c.trained_version.is_not(None))
        grouped = query.group_by(c.problem, c.trained_version).order_by(c.problem, c.trained_version)
        return [Learnt(row["problem"], row["trained_version"], row["last"]) for row in self._database.read(grouped)]

    def _without_row(self, problem: str, limit: int, *conditions: sa.ColumnElement[bool]) -> list[Suggestion]:
        c = suggestions.c
        query = sa.select(suggestions).where(*_without_row(problem), *conditions)
        return [_suggestion(row) for row in self._database.read(query.order_by(c.received_at, c.id).limit(limit))]

    def _rows(self, problem: str, *conditions: sa.ColumnElement[bool]) -> list[Suggestion]:
        c = suggestions.c
        query = sa.select(suggestions).where(c.problem == problem, c.row_number.is_not(None), *conditions)
        return [_suggestion(row) for row in self._database.read(query.order_by(c.row_number))]

    def _update_unsettled(self, run_id: str, **values: Any) -> None:
        c = suggestions.c
        of_run = c.flow_run_id == run_id, c.trained_version.is_(None), c.refused_because.is_(None)
        with self._database.writing() as connection:
            connection.execute(suggestions.update().where(*of_run).values(values))

    def _update(self, *suggestion_ids: str, **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(suggestions.update().where(suggestions.c.id.in_(suggestion_ids)).values(values))


def add_suggestion(connection: sa.Connection, suggestion: Suggestion) -> None:
    """Do in a transaction what `Suggestions.add` does."""
    now = datetime.now(UTC)
    row = {
        "id": suggestion.id,
        "problem": suggestion.problem,
        "features": suggestion.features,
        "class_name": suggestion.class_name,
        "prediction_id": suggestion.prediction_id,
        # Of one that was begun in Prefect itself: with a run, it is not due for another.
        "flow_run_id": suggestion.flow_run_id,
        "received_at": now,
        "next_attempt_at": now,
    }
    known = sa.select(suggestions.c.id).where(suggestions.c.id == suggestion.id)
    if connection.execute(known).first() is None:
        connection.execute(suggestions.insert().values(row))


def _without_row(problem: str) -> tuple[sa.ColumnElement[bool], ...]:
    c = suggestions.c
    return c.problem == problem, c.row_number.is_(None), c.refused_because.is_(None)


def _span(problem: str, since: datetime, until: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    c = suggestions.c
    return c.problem == problem, c.received_at >= since, c.received_at < until


def _marks() -> Marks:
    # Columns of their own for what the state follows from: the rule is in one place.
    c = suggestions.c
    return {
        "refused": c.refused_because.is_not(None),
        "trained": c.trained_version.is_not(None),
        "written": c.written == sa.true(),
        "delivered": c.flow_run_id.is_not(None),
    }


def _labelled(marks: Marks) -> list[sa.Label[bool]]:
    return [mark.label(name) for name, mark in marks.items()]


def _state_of(row: sa.RowMapping, marks: Marks) -> State:
    return _state(**{name: bool(row[name]) for name in marks})


def _state(*, refused: bool, trained: bool, written: bool, delivered: bool) -> State:
    if refused:
        return "refused"
    if trained:
        return "trained"
    if written:
        return "waiting"
    return "delivered" if delivered else "received"


def _together(one: Standing, other: Standing) -> Standing:
    return Standing(one.problem, one.state, one.suggestions + other.suggestions, min(one.oldest, other.oldest))


def _suggestion(row: sa.RowMapping) -> Suggestion:
    return Suggestion(**{name: row[name] for name in Suggestion.__dataclass_fields__})
